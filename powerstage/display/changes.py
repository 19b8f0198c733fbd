"""What changed between two contracts, for people and for grep."""

from collections.abc import Sequence

from powerstage.contract import Change, Contract
from powerstage.contract.change import KINDS
from powerstage.display.terminal import BAD, DIM, GOOD, Span, Terminal


def show_changes(
    terminal: Terminal, old: Contract, new: Contract, changes: Sequence[Change]
) -> None:
    """A table on a terminal; on a pipe a line each, with the place in both files."""
    if not changes:
        terminal.line(("✓ ", GOOD), f"{old.path} and {new.path} agree")
    elif terminal.is_for_people:
        _show_table(terminal, old, new, changes)
    else:
        for change in changes:
            places = [
                f"{contract.path}:{line}"
                for contract, line in ((old, change.old_line), (new, change.new_line))
                if line is not None
            ]
            hint = f" ({change.hint})" if change.hint else ""
            terminal.line(
                f"breaks {_broken(change)}: {change.kind}: {change.subject}: {change.words}{hint}"
                f"   {' '.join(places)}"
            )


def _show_table(
    terminal: Terminal, old: Contract, new: Contract, changes: Sequence[Change]
) -> None:
    rows: list[list[Span]] = [
        [
            (_broken(change), BAD if change.breaks else DIM),
            KINDS[change.kind].words,
            change.subject,
            f"{change.words} {change.hint}".rstrip(),
            "" if change.old_line is None else str(change.old_line),
            "" if change.new_line is None else str(change.new_line),
            (KINDS[change.kind].why, DIM),
        ]
        for change in changes
    ]
    terminal.line((f"old {old.path}   new {new.path}", DIM))
    terminal.table(["breaks", "change", "of", "what", "old", "new", "why"], rows)


def _broken(change: Change) -> str:
    return " and ".join(change.breaks) or "nobody"
