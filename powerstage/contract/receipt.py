"""The receipt: a consumer's write-once word on a delivery, where the producer can read it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from powerstage.contract.layout import JUDGEMENT_MAX, Slot, check_name, parse_slot
from powerstage.contract.safe_text import shown
from powerstage.contract.strict_json import TEXT_CHARACTERS_MAX, Fields, dump, load
from powerstage.errors import RecordError

RECEIPT_SPEC: Final = "powerstage-receipt/1"
CHECKS_MAX: Final = 1_000
COUNT_MAX: Final = 2**53

Verdict: TypeAlias = Literal["accepted", "rejected", "unreadable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptCheck:
    """A check that did not pass, as the producer reads of it."""

    id: str
    outcome: Literal["fail", "warn"]
    rows: int
    words: str
    sample: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The verdict of one consumer on one delivery.

    ``identity`` is that of the judged commit, or ``""`` where the commit could not be read.
    ``rules`` names the contract digest and the version of the checks. ``judged_at`` informs.
    """

    slot: Slot
    identity: str
    consumer: str
    judgement: int
    verdict: Verdict
    checks_passed: int
    checks: tuple[ReceiptCheck, ...]
    rules: str
    judged_at: str

    def says_the_same_as(self, other: "Receipt") -> bool:
        """Whether both give the same verdict on the same content."""
        return (self.slot, self.identity, self.consumer, self.verdict) == (
            other.slot,
            other.identity,
            other.consumer,
            other.verdict,
        )

    def to_json(self) -> bytes:
        """The record as it is written."""
        return dump(
            {
                "spec": RECEIPT_SPEC,
                "commit": str(self.slot),
                "identity": self.identity,
                "consumer": self.consumer,
                "judgement": self.judgement,
                "verdict": self.verdict,
                "checks_passed": self.checks_passed,
                "checks": [
                    {
                        "id": check.id,
                        "outcome": check.outcome,
                        "rows": check.rows,
                        "words": check.words,
                        "sample": list(check.sample),
                    }
                    for check in self.checks
                ],
                "rules": self.rules,
                "judged_at": self.judged_at,
            }
        )

    @staticmethod
    def from_json(body: bytes) -> "Receipt":
        """The receipt in these bytes; ``RecordError`` says what is wrong with them."""
        fields = load(body, "receipt")
        fields.only(
            required=(
                "spec commit identity consumer judgement verdict checks_passed checks rules"
                " judged_at"
            )
        )
        fields.equal("spec", RECEIPT_SPEC)
        return Receipt(
            slot=parse_slot(fields.text("commit")),
            identity=fields.text("identity"),
            consumer=check_name(fields.text("consumer"), "consumer"),
            judgement=fields.integer("judgement", JUDGEMENT_MAX),
            verdict=_verdict(fields.text("verdict")),
            checks_passed=fields.integer("checks_passed", COUNT_MAX),
            checks=tuple(_receipt_check(entry) for entry in fields.list("checks", CHECKS_MAX)),
            rules=fields.text("rules"),
            judged_at=fields.text("judged_at"),
        )


def _receipt_check(fields: Fields) -> ReceiptCheck:
    fields.only(required="id outcome rows words sample")
    outcome = fields.text("outcome")
    if outcome not in {"fail", "warn"}:
        raise RecordError(f"not an outcome of a check: {outcome!r}")
    return ReceiptCheck(
        id=_shown(fields.text("id")),
        outcome="fail" if outcome == "fail" else "warn",
        rows=fields.integer("rows", COUNT_MAX),
        words=_shown(fields.text("words")),
        sample=tuple(_shown(text) for text in fields.texts("sample")),
    )


def _shown(text: str) -> str:
    return shown(text, TEXT_CHARACTERS_MAX)


def _verdict(text: str) -> Verdict:
    if text == "accepted":
        return "accepted"
    if text == "rejected":
        return "rejected"
    if text == "unreadable":
        return "unreadable"
    raise RecordError(f"not a verdict: {text!r}")


def utc_text(moment: datetime) -> str:
    """A moment as records hold it: ``2026-11-01T05:00:00Z``, to the second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
