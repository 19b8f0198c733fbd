"""``powerstage report``: a page, the same numbers in the terminal, and the page served."""

import json
import re
import signal
import subprocess
import sys
import urllib.request
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from powerstage.consumer import Lake, consume
from powerstage.contract import Contract
from powerstage.display.overview import kwh
from powerstage.producer import publish, synthesise
from powerstage.store import MemoryStore
from tests.conftest import ROOT, START, Run, clock
from tests.consumer.history import with_intervals


@pytest.fixture(scope="module")
def lake(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of a day of four devices."""
    folder = tmp_path_factory.mktemp("report") / "lake"
    store = MemoryStore()
    agreed = with_intervals(contract, reading_seconds=3600, delivery_hours=12)
    publish(synthesise(agreed, devices=4, start=START, seed=7), store, clock=clock)
    with Lake(folder, make=True) as opened:
        consume(store, opened, clock=clock)
    return folder


def _energy(lake: Path) -> Decimal:
    with duckdb.connect(str(lake / "lake.duckdb"), read_only=True) as connection:
        ((energy,),) = connection.execute("SELECT sum(energy_kwh) FROM hourly").fetchall()
    assert isinstance(energy, Decimal)
    return energy


def test_page_terminal_and_document_say_the_same(
    powerstage: Run, lake: Path, tmp_path: Path
) -> None:
    """The energy of the fleet, as a query over the lake has it."""
    page, energy = tmp_path / "report.html", _energy(lake)
    told = powerstage("report", lake, "--out", page, "--json")
    document = json.loads(told.stdout)
    assert told.returncode == 0
    assert Decimal(document["fleet"]["energy_kwh"]) == energy
    assert sum(Decimal(site["energy_kwh"]) for site in document["sites"]) == energy
    assert re.search(rf"^  all +{kwh(energy)} ", told.stderr, re.MULTILINE)
    assert f"{kwh(energy)} kWh" in page.read_text("utf-8")


def test_the_page_goes_where_one_is(powerstage: Run, lake: Path, tmp_path: Path) -> None:
    """As report.html, unless another name is given; the terminal says where."""
    told = powerstage("report", lake, cwd=tmp_path)
    assert told.stdout.splitlines()[-1] == "Open  report.html"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_lake_without_readings_has_nothing_to_show(powerstage: Run, tmp_path: Path) -> None:
    """Exit 4, and no page."""
    with Lake(tmp_path / "lake", make=True) as opened:
        assert opened.ledger.entries() == []
    told = powerstage("report", tmp_path / "lake", cwd=tmp_path)
    assert told.returncode == 4
    assert "powerstage consume FEED --into" in told.stderr
    assert not (tmp_path / "report.html").exists()


def test_what_is_no_lake_is_said_to_be_none(powerstage: Run, tmp_path: Path) -> None:
    """Exit 2: a mistyped path makes no folder."""
    told = powerstage("report", tmp_path / "lak")
    assert told.returncode == 2
    assert not (tmp_path / "lak").exists()


def test_a_port_is_for_serving(powerstage: Run, lake: Path) -> None:
    """Without --serve it would mean nothing."""
    assert powerstage("report", lake, "--port", "8000").returncode == 2


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_page_is_served_until_it_is_told_to_stop(lake: Path, ending: signal.Signals) -> None:
    """On loopback; Ctrl-C and SIGTERM end it with exit code 0."""
    command = [sys.executable, "-m", "powerstage", "report", str(lake), "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            (url,) = re.findall(r"http://127\.0\.0\.1:\d+/", process.stdout.readline())
            with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - a URL of ours
                assert f"{kwh(_energy(lake))} kWh" in answer.read().decode()
        finally:
            process.send_signal(ending)
        assert process.wait(60) == 0
