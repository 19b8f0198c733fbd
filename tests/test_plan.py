"""What an exchange takes is what was worked out before, of any size."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from powerstage.consumer import Lake, consume
from powerstage.consumer.consume import FETCHERS
from powerstage.consumer.discover import Watch
from powerstage.contract import Contract, default, loads
from powerstage.contract.load import default_text
from powerstage.errors import UsageError
from powerstage.plan import Coefficient, ExchangePlan, amounts_of, measured, plan_exchange
from powerstage.producer import publish, synthesise
from powerstage.producer.publish import SENDERS
from powerstage.sim import EmbeddedS3, blind_to_aws
from powerstage.store import CountingStore, MemoryStore, open_store
from tests.conftest import ROOT, START, Run, clock

# Devices, days, seconds of a reading.
SIZES = ((40, 1, 3600), (1_000, 2, 3600), (2_000, 1, 300))
NEAR = 0.25


def contract_of(reading_seconds: int) -> Contract:
    """The default contract, with readings of so many seconds."""
    text = default_text().replace("intervalSeconds: 3600", f"intervalSeconds: {reading_seconds}")
    return loads(text, "a contract")


def planned(contract: Contract, devices: int, days: int) -> ExchangePlan:
    """The plan by the coefficients of the package."""
    return plan_exchange(contract, devices=devices, days=days, measurement=measured())


def numbers(plan: ExchangePlan) -> dict[str, float]:
    """Requests of each side, and objects and bytes of each kind, by their names."""
    found: dict[str, float] = {}
    for name, side in (("producer", plan.producer), ("consumer", plan.consumer)):
        found |= {f"{name} {method}": count for method, count in side.requests.items() if count}
    for kind, stored in plan.stored.items():
        found |= {f"{kind} objects": stored.objects, f"{kind} bytes": stored.size_bytes}
    return found


def exchanged(contract: Contract, devices: int, days: int, lake_path: Path) -> dict[str, float]:
    """As ``numbers``, of an exchange over HTTP: requests as the server saw them."""
    bucket, side = f"plan-{devices}", "producer"
    found: Counter[str] = Counter()

    def see(_: int, method: str, path: str) -> None:
        # To list a bucket is to get it.
        found[f"{side} {'LIST' if (method, path) == ('GET', f'/{bucket}') else method}"] += 1

    with EmbeddedS3(on_request=see) as server, blind_to_aws(server.environment()):
        server.create_bucket(bucket)
        store = open_store(f"s3://{bucket}/feed")
        source = synthesise(contract, devices=devices, days=days, start=START)
        publish(source, store, clock=clock, senders=SENDERS)
        side = "consumer"
        with Lake(lake_path, make=True) as lake:
            consume(store, lake, clock=clock, fetchers=FETCHERS)
        side = "nobody"
        for info in list(store.list("")):
            kind = info.key.removeprefix("data/").partition("/")[0]
            found[f"{kind} objects"] += 1
            found[f"{kind} bytes"] += info.size_bytes
    return {name: count for name, count in found.items() if not name.startswith("nobody")}


@pytest.mark.parametrize(("devices", "days", "reading_seconds"), SIZES)
def test_what_happens_was_planned(
    devices: int, days: int, reading_seconds: int, tmp_path: Path
) -> None:
    """Requests of each kind, objects and bytes: each within a quarter of what was worked out."""
    contract = contract_of(reading_seconds)
    happened = exchanged(contract, devices, days, tmp_path / "lake")
    assert numbers(planned(contract, devices, days)) == pytest.approx(happened, rel=NEAR)


def test_inventories_come_as_often_as_servers_do(contract: Contract) -> None:
    """Over a year, as many as the servers of a fleet that come and go."""
    source = synthesise(contract, devices=1_000, days=365, start=START)
    told = planned(contract, 1_000, 365).stored["inventory"].objects
    assert told == pytest.approx(len(source.snapshots()), rel=0.1)


def test_a_look_sends_no_more_than_was_told(contract: Contract, tmp_path: Path) -> None:
    """Of three days of hourly periods, two are listed at each look."""
    store = CountingStore(MemoryStore())
    publish(synthesise(contract, devices=40, days=3, start=START), store, clock=clock)
    store.requests.clear()
    with Lake(tmp_path / "lake", make=True) as lake:
        Watch(store, lake.ledger).look(START + timedelta(days=3))
    most = planned(contract, 40, 3).list_requests_per_look
    assert most - 1 <= store.requests["LIST"] <= most


def test_a_million_devices_are_planned_as_one_is(contract: Contract) -> None:
    """What is counted by devices grows with them, and nothing overflows."""
    few, many = planned(contract, 10_000, 30), planned(contract, 1_000_000, 30)
    assert many.readings == 100 * few.readings == 1_000_000 * 30 * 24 * 2
    ratio = many.stored["telemetry"].size_bytes / few.stored["telemetry"].size_bytes
    assert ratio == pytest.approx(100, rel=0.05)
    assert many.producer.cpu_seconds > few.producer.cpu_seconds


@pytest.mark.parametrize(
    ("devices", "days", "words"), [(0, 1, "devices is 0"), (1, 0, "days is 0"), (1, 9_999, "days")]
)
def test_a_size_that_is_none_is_refused(
    contract: Contract, devices: int, days: int, words: str
) -> None:
    """By the option that says so."""
    with pytest.raises(UsageError, match=words):
        planned(contract, devices, days)


def test_workers_are_as_many_as_the_work_takes(contract: Contract) -> None:
    """80 readings of a minute's CPU are more than an hour of one core; 40 are not."""
    slow = Coefficient(of="producer CPU", per="reading", value=60, unit="s")
    measurement = replace(measured(), coefficients=(slow,))
    one, two = (
        plan_exchange(contract, devices=devices, days=1, measurement=measurement).producer
        for devices in (20, 40)
    )
    assert (one.period_cpu_seconds, one.workers_to_keep_up, one.workers_to_catch_up) == (2400, 1, 1)
    assert (two.period_cpu_seconds, two.workers_to_keep_up, two.workers_to_catch_up) == (4800, 2, 2)


def test_a_period_of_its_own_run_takes_the_start_of_it(contract: Contract) -> None:
    """In a run of all days, that comes once."""
    start = Coefficient(of="consumer CPU", per="run", value=2, unit="s")
    file = Coefficient(of="consumer CPU", per="telemetry file", value=1, unit="s")
    measurement = replace(measured(), coefficients=(start, file))
    side = plan_exchange(contract, devices=40, days=1, measurement=measurement).consumer
    assert (side.cpu_seconds, side.period_cpu_seconds) == (26, 3)


def test_findings_look_at_no_more_than_they_do(contract: Contract) -> None:
    """At nothing without two days of history, then at four weeks, and at 30 million readings."""
    looked_at = [
        amounts_of(contract, devices, days)["reading in findings"]
        for devices, days in ((100, 1), (100, 2), (100, 90), (1_000_000, 30))
    ]
    assert looked_at[:3] == [0, 100 * 2 * 48, 100 * 2 * 24 * 28]
    assert 29_000_000 < looked_at[3] <= 30_000_000


def test_people_are_told_what_to_do(powerstage: Run) -> None:
    """Few devices need no cluster; with many readings, work is to be shared."""
    done = powerstage("plan", "--devices", "20000")
    assert (done.returncode, done.stderr) == (0, "")
    assert "20,000 devices, 30 days: 720 periods of 60 minutes, 28,800,000 readings" in done.stdout
    assert "No cluster is needed" in done.stdout
    assert measured().machine in done.stdout


def test_many_readings_are_shared(powerstage: Run, tmp_path: Path) -> None:
    """Five million devices each second are more than one core can do."""
    path = tmp_path / "contract.odcs.yaml"
    path.write_text(
        default_text()
        .replace("intervalSeconds: 3600", "intervalSeconds: 1")
        .replace("value: 1\n    unit: h", "value: 1\n    unit: m"),
        encoding="utf-8",
    )
    done = powerstage("plan", "--devices", "5000000", "--contract", path)
    assert "Share the work" in done.stdout, done.stdout + done.stderr


def test_more_devices_than_an_inventory_holds_are_refused() -> None:
    """Nobody could deliver them as one feed."""
    with pytest.raises(UsageError, match="devices is 5,000,001") as caught:
        amounts_of(default(), 5_000_001, 1)
    assert "plan several feeds" in caught.value.fix


def test_a_plan_waits_for_no_engine() -> None:
    """It is arithmetic: neither DuckDB nor boto3 is imported."""
    code = (
        "import sys\n"
        "from powerstage.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print('loaded', sorted({'duckdb', 'boto3', 'pyarrow'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, "plan", "--devices", "1000000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "loaded []"
