"""What the document says of other tools is what the benchmark printed."""

from powerstage.contract import default
from powerstage.faults import catalogue
from tests.benchmarks.bench import END, begin
from tests.benchmarks.peer_faults import FAULTS
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "peers.md").read_text("utf-8")
LINES = TEXT.split(begin("faults"))[1].split(END)[0].splitlines()
CELLS = [
    [cell.strip() for cell in line.strip("|").split(" | ")] for line in LINES if line[:1] == "|"
]


def test_the_table_has_every_fault_of_the_benchmark() -> None:
    """In its order, with today's words for each."""
    kinds = {kind.name: kind for kind in catalogue(default())}
    told = [(cells[0].strip("`"), cells[1]) for cells in CELLS if cells[0].startswith("`")]
    assert told == [(name, kinds[name].words) for name in FAULTS]


def test_no_fault_of_the_table_passes_here() -> None:
    """Ours names each by the check that must see it, and clean data pass everywhere."""
    checks = {kind.name: kind.check for kind in catalogue(default())}
    assert {cells[0].strip("`"): cells[2].strip("`") for cells in CELLS[3:-1]} == {
        name: checks[name] for name in FAULTS
    }
    assert CELLS[2][2:] == ["passes"] * 5
