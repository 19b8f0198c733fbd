"""The receipt of a judgement: what it says, and how it is written once."""

from dataclasses import replace
from datetime import datetime
from typing import Final

import powerstage
from powerstage.checks import CheckResult
from powerstage.consumer.judge import Judgement
from powerstage.contract import Contract, Receipt, ReceiptCheck, ReceiptKey
from powerstage.contract.layout import JUDGEMENT_MAX
from powerstage.contract.receipt import CHECKS_MAX, utc_text
from powerstage.contract.safe_text import shown
from powerstage.contract.strict_json import RECORD_BYTES_MAX
from powerstage.errors import ConflictError, ObjectNotFoundError, RecordError
from powerstage.store import Store, create, read

_WORDS_MAX: Final = 1_000
_BRIEF_MAX: Final = 80


def rules_of(contract: Contract) -> str:
    """What a delivery is judged by: a contract, and what it means to this powerstage."""
    return f"{contract.sha256} powerstage {powerstage.__version__}"


def receipt_of(
    judgement: Judgement, *, consumer: str, contract: Contract, judged_at: datetime
) -> Receipt:
    """The receipt of a judgement, no longer than a record may be."""
    receipt = Receipt(
        slot=judgement.slot,
        identity=judgement.identity,
        consumer=consumer,
        judgement=1,
        verdict=judgement.verdict,
        checks_passed=judgement.report.passed,
        checks=tuple(_check(finding) for finding in judgement.report.findings[:CHECKS_MAX]),
        rules=rules_of(contract),
        judged_at=utc_text(judged_at),
    )
    if len(receipt.to_json()) <= RECORD_BYTES_MAX:
        return receipt
    # Texts from outside may be long: what was found matters more than samples of it.
    brief = [replace(check, words=check.words[:_BRIEF_MAX], sample=()) for check in receipt.checks]
    return replace(receipt, checks=tuple(brief))


def send(store: Store, receipt: Receipt) -> Receipt:
    """Write a receipt under the first judgement that is free, unless the one before says the same.

    A lake that was lost may have said the same and then, by other rules, something else: the
    highest judgement counts.

    Raises:
        ConflictError: no judgement is left.
    """
    last: Receipt | None = None
    for judgement in range(receipt.judgement, JUDGEMENT_MAX + 1):
        ours = replace(receipt, judgement=judgement)
        key = str(ReceiptKey(consumer=receipt.consumer, slot=receipt.slot, judgement=judgement))
        body = ours.to_json()
        try:
            if last is not None and last.says_the_same_as(ours):
                standing = read(store, key, RECORD_BYTES_MAX)
            else:
                standing = create(store, key, body)
            if standing is body:
                # Created by this very call: nothing was said after it.
                return ours
            last = Receipt.from_json(standing)
        except ObjectNotFoundError:
            break
        except RecordError:
            # Something that is no receipt stands there: the next judgement is free.
            continue
    if last is not None and last.says_the_same_as(receipt):
        return last
    raise ConflictError(f"{receipt.slot} has {JUDGEMENT_MAX} receipts of {receipt.consumer}")


def _check(finding: CheckResult) -> ReceiptCheck:
    words = f"{finding.check.words}: {finding.detail}" if finding.detail else finding.check.words
    return ReceiptCheck(
        id=finding.check.id,
        outcome="warn" if finding.outcome == "warn" else "fail",
        rows=finding.failed,
        words=shown(words, _WORDS_MAX),
        sample=tuple(shown(str(sample), _WORDS_MAX) for sample in finding.samples),
    )
