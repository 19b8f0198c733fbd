"""``powerstage synth`` and ``powerstage publish``: what is sent, what is not, and what is said."""

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from powerstage.contract.load import default_text
from powerstage.sim import EmbeddedS3
from tests.conftest import ROOT, Run, export_rows, write_csv, write_upstream_export

SMALL = ("--devices", "2")
DATA = "data-2026-11-01.csv"


def content(folder: Path) -> dict[str, bytes]:
    """Every file under a folder, by its path there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def commits(feed: Path) -> set[str]:
    """The deliveries of a feed in a folder, as dataset/period."""
    found = (feed / "commits").glob("*/*/r000000.json")
    return {str(path.parent.relative_to(feed / "commits")) for path in found}


def spoil(export: Path, row: int, right: str, wrong: str) -> None:
    """Change one row of an export's data; row 1 comes after the header."""
    lines = (export / DATA).read_text("utf-8").split("\n")
    assert right in lines[row]
    lines[row] = lines[row].replace(right, wrong)
    (export / DATA).write_text("\n".join(lines), encoding="utf-8")


def test_synth_publishes_an_hour_a_delivery(powerstage: Run, tmp_path: Path) -> None:
    """A day is an inventory and 24 periods, from the start that was asked for."""
    done = powerstage("synth", tmp_path / "feed", *SMALL, "--start", "2026-03-01T05:00")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("✓ 25 new, 0 unchanged → ")
    assert "96 readings" in done.stdout
    periods = [f"2026-03-01T{hour:02}00" for hour in range(5, 24)]
    periods += [f"2026-03-02T{hour:02}00" for hour in range(5)]
    assert commits(tmp_path / "feed") == {
        "inventory/2026-03-01T0500",
        *(f"telemetry/{period}" for period in periods),
    }


def test_synth_twice_sends_nothing_new(powerstage: Run, tmp_path: Path) -> None:
    """The same again finds all as it should be, and touches nothing."""
    powerstage("synth", tmp_path / "feed", *SMALL)
    before = content(tmp_path / "feed")
    done = powerstage("synth", tmp_path / "feed", *SMALL)
    assert done.stdout.startswith("✓ 0 new, 25 unchanged → ")
    assert done.returncode == 0
    assert content(tmp_path / "feed") == before


def test_other_values_for_a_period_are_refused(powerstage: Run, tmp_path: Path) -> None:
    """Another seed in the same feed breaks the contract: 1, and the feed stays as it was."""
    powerstage("synth", tmp_path / "feed", *SMALL)
    before = content(tmp_path / "feed")
    done = powerstage("synth", tmp_path / "feed", *SMALL, "--seed", "8")
    assert (done.returncode, done.stdout) == (1, "")
    assert "telemetry/2026-11-02T0000/r000000 holds other values in its 4 rows" in done.stderr
    assert "publish what was published before" in done.stderr
    assert content(tmp_path / "feed") == before


def test_synth_tells_the_truth_about_its_faults(powerstage: Run, tmp_path: Path) -> None:
    """The document names each fault with its period; validate finds them there."""
    done = powerstage(
        "synth", tmp_path / "feed", *SMALL, "--faults", "nan_value,cut_object", "--json"
    )
    found = json.loads(done.stdout)
    faults = {fault["period_first"]: fault for fault in found["faults"]}
    assert {fault["fault"] for fault in faults.values()} == {"nan_value", "cut_object"}
    judged = json.loads(powerstage("validate", tmp_path / "feed", "--json").stdout)
    blamed = {
        delivery["delivery"].split("/")[1]: delivery["verdict"]
        for delivery in judged["deliveries"]
        if delivery["verdict"] != "accepted"
    }
    assert blamed == {period: fault["verdict"] for period, fault in faults.items()}


def test_late_by_more_than_a_day_is_no_option(powerstage: Run, tmp_path: Path) -> None:
    """A number that no length of time can hold is refused with 2, and called by its option."""
    done = powerstage("synth", tmp_path / "feed", "--fuzz", "99999999999999")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'--fuzz'" in done.stderr


@pytest.mark.parametrize("fault", ["missing_hour", "lying_commit", "lost_object", "restated_site"])
def test_a_feed_that_is_clean_is_not_spoilt_any_more(
    powerstage: Run, tmp_path: Path, fault: str
) -> None:
    """1: what was delivered stays, and no truth tells of a fault that is not there."""
    powerstage("synth", tmp_path / "feed", *SMALL)
    before = content(tmp_path / "feed")
    done = powerstage("synth", tmp_path / "feed", *SMALL, "--faults", fault)
    assert done.returncode == 1
    assert f"{fault} cannot be put into telemetry/" in done.stderr
    assert content(tmp_path / "feed") == before
    assert [path.name for path in tmp_path.iterdir()] == ["feed"]


def test_the_truth_stands_beside_a_folder(powerstage: Run, tmp_path: Path) -> None:
    """Not in it; it is named on the terminal, and holds what the document holds."""
    (tmp_path / "feeds").mkdir()
    done = powerstage("synth", tmp_path / "feeds" / "mock", *SMALL, "--faults", "nan_value")
    path = tmp_path / "feeds" / "mock.truth.json"
    assert f"  the truth about them is in {path}\n" in done.stdout
    truth = json.loads(path.read_bytes())
    assert (truth["schema"], truth["seed"]) == ("powerstage.truth/1", 7)
    assert truth["feed"] == str(tmp_path / "feeds" / "mock")
    assert [fault["fault"] for fault in truth["faults"]] == ["nan_value"]
    assert not [name for name in content(tmp_path / "feeds" / "mock") if "truth" in name]


def test_the_truth_about_a_bucket_stands_in_the_working_folder(
    powerstage: Run, feed_url: str, server: EmbeddedS3, tmp_path: Path
) -> None:
    """Under the feed's whole URL, of which two may end alike; not for who reads the bucket."""
    name = f"{feed_url.removeprefix('s3://').replace('/', '-')}.truth.json"
    done = powerstage(
        "synth", feed_url, *SMALL, "--faults", "nan_value", cwd=tmp_path, **server.environment()
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"  the truth about them is in {name}\n" in done.stdout
    assert json.loads((tmp_path / name).read_bytes())["feed"] == feed_url


@pytest.mark.parametrize("faults", ["none", ""])
def test_without_faults_there_is_no_truth_to_tell(
    powerstage: Run, tmp_path: Path, faults: str
) -> None:
    """A feed stands alone."""
    done = powerstage("synth", tmp_path / "feed", *SMALL, "--faults", faults)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["feed"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_of_mock_data_keeps_the_contract(
    powerstage: Run, tmp_path: Path, form: str
) -> None:
    """What ``--export`` writes passes validate, and publish takes all of it."""
    export = tmp_path / "export"
    assert powerstage("synth", export, *SMALL, "--export", form).returncode == 0
    assert {path.name for path in export.iterdir()} == {
        "README.md",
        "contract.odcs.yaml",
        f"inventory.{form}",
        f"data-2026-11-02.{form}",
    }
    validated = powerstage("validate", export)
    assert (validated.returncode, validated.stderr) == (0, "")
    assert "98 rows" in validated.stdout
    published = powerstage("publish", export, tmp_path / "feed")
    assert (published.returncode, published.stderr) == (0, "")
    assert "✓ 25 new, 0 unchanged → " in published.stdout


def test_an_export_replaces_no_folder(powerstage: Run, export: Path) -> None:
    """A folder that holds anything is refused with 2, and left alone."""
    before = content(export)
    done = powerstage("synth", export, *SMALL, "--export", "csv")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{export} is not an empty folder" in done.stderr
    assert content(export) == before


def test_no_faults_go_into_an_export(powerstage: Run, tmp_path: Path) -> None:
    """``--faults none`` asks for nothing, and is granted."""
    done = powerstage("synth", tmp_path / "new", *SMALL, "--export", "csv", "--faults", "none")
    assert done.returncode == 0


def test_faults_do_not_go_into_an_export(powerstage: Run, tmp_path: Path) -> None:
    """``--faults`` with ``--export`` is refused with 2, and nothing is written."""
    done = powerstage("synth", tmp_path / "new", *SMALL, "--export", "csv", "--faults", "nan_value")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--export goes with neither --faults" in done.stderr
    assert not (tmp_path / "new").exists()


def test_publish_sends_a_sound_export(powerstage: Run, export: Path, tmp_path: Path) -> None:
    """Four hours are four periods and an inventory, with every reading."""
    done = powerstage("publish", export, tmp_path / "feed")
    assert (done.returncode, done.stderr) == (0, "")
    assert "✓ 5 new, 0 unchanged → " in done.stdout
    assert "24 readings" in done.stdout
    assert commits(tmp_path / "feed") == {
        "inventory/2026-11-01T0000",
        *(f"telemetry/2026-11-01T0{hour}00" for hour in range(4)),
    }


def test_publish_again_sends_what_is_new(powerstage: Run, export: Path, tmp_path: Path) -> None:
    """Two more hours in the export are sent; what the feed holds already is not."""
    powerstage("publish", export, tmp_path / "feed")
    before = content(tmp_path / "feed")
    write_csv(export / DATA, export_rows(datetime(2026, 11, 1, tzinfo=UTC), 6))
    done = powerstage("publish", export, tmp_path / "feed")
    assert done.returncode == 0
    assert "✓ 2 new, 5 unchanged → " in done.stdout
    after = content(tmp_path / "feed")
    assert {name: after[name] for name in before} == before


def test_publish_names_what_breaks_the_contract(
    powerstage: Run, export: Path, tmp_path: Path
) -> None:
    """A wrong unit is named with its file, row, value and line of the contract."""
    spoil(export, 8, '"W"', '"kW"')
    done = powerstage("publish", export, tmp_path / "feed")
    assert (done.returncode, done.stderr) == (1, "")
    assert "nothing was sent" in done.stdout
    where = next(line for line in done.stdout.splitlines() if "error unit.of_measure" in line)
    assert where.startswith(f"{export / DATA}:9: error unit.of_measure: unit is that of the ")
    assert 'sn="8899000001"' in where
    assert "kW" in where
    assert "note unit.of_measure: 1 of 24 rows" in done.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "check"),
    [
        ('"W"', '"kW"', "unit.of_measure"),
        ('"8899000001"', '"8899000009"', "sn.in_inventory"),
    ],
)
def test_nothing_is_sent_of_an_export_that_breaks_the_contract(
    powerstage: Run, export: Path, right: str, wrong: str, check: str
) -> None:
    """One wrong reading holds all back: 1, the check by name, and no object in the feed."""
    spoil(export, 8, right, wrong)
    feed = export.parent / "feed"
    done = powerstage("publish", export, feed, "--json")
    assert done.returncode == 1
    results = json.loads(done.stdout)["export"]["checks"]
    assert check in {result["id"] for result in results if result["outcome"] == "fail"}
    assert not feed.exists()


def test_publish_holds_an_export_against_the_contract_named(
    powerstage: Run, export: Path, tmp_path: Path
) -> None:
    """``--contract`` decides: with a lower maximum, sound readings break it."""
    agreed = tmp_path / "agreed.yaml"
    agreed.write_text(default_text().replace("maximum: 2000", "maximum: 100"), encoding="utf-8")
    done = powerstage("publish", export, tmp_path / "feed", "--contract", agreed)
    assert done.returncode == 1
    assert f"{agreed}:" in done.stdout
    assert not (tmp_path / "feed").exists()


def test_an_empty_contract_file_is_refused(powerstage: Run, export: Path, tmp_path: Path) -> None:
    """It is not taken for no contract: 2, and its first line is named."""
    agreed = tmp_path / "agreed.yaml"
    agreed.touch()
    done = powerstage("publish", export, tmp_path / "feed", "--contract", agreed)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{agreed}:1: the file is empty" in done.stderr


def elsewhere(server: EmbeddedS3) -> dict[str, str]:
    """An S3 that is not on this machine, as far as its name goes: a proxy leads to ours."""
    return server.environment() | {
        "AWS_ENDPOINT_URL": "http://s3.invalid",
        "http_proxy": server.url,
        "no_proxy": "",
    }


@pytest.mark.parametrize(
    "line",
    [
        "synth {url}",
        "synth {url} --yes-write-to s3://buck",
        "publish {export} {url}",
        "consume {url} --into {export}/lake",
    ],
)
def test_an_s3_elsewhere_is_not_written_to_unasked(
    powerstage: Run, server: EmbeddedS3, export: Path, line: str
) -> None:
    """Without its bucket in ``--yes-write-to``: 2, the words to add, and no request at all."""
    before = server.requests
    words = line.format(url="s3://bucket/feed", export=export).split()
    done = powerstage(*words, **elsewhere(server))
    assert (done.returncode, done.stdout) == (2, "")
    assert "s3://bucket/feed is not on this machine" in done.stderr
    assert "say --yes-write-to s3://bucket\n" in done.stderr
    assert server.requests == before


def test_an_s3_elsewhere_is_written_to_when_named(powerstage: Run, server: EmbeddedS3) -> None:
    """With its bucket named twice, requests are made."""
    before = server.requests
    done = powerstage(
        "synth", "s3://bucket/feed", "--yes-write-to", "s3://bucket", **elsewhere(server)
    )
    assert "is not on this machine" not in done.stderr
    assert server.requests > before


def test_publish_goes_on_where_it_was_interrupted(powerstage: Run, feed_url: str) -> None:
    """Ctrl-C between two requests leaves a feed that the next run completes."""
    children: list[subprocess.Popen[str]] = []
    started = threading.Event()

    def interrupt(count: int, method: str, path: str) -> None:
        del method, path
        if count == 20 and started.wait(30):
            children[0].send_signal(signal.SIGINT)

    arguments = ("synth", feed_url, *SMALL)
    with EmbeddedS3(on_request=interrupt) as server:
        with subprocess.Popen(
            [sys.executable, "-m", "powerstage", *arguments],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | server.environment(),
        ) as child:
            children.append(child)
            started.set()
            child.communicate(timeout=60)
        found = json.loads(powerstage(*arguments, "--json", **server.environment()).stdout)
    assert child.returncode == 130
    assert found["new"] + found["unchanged"] == 25
    assert 0 < found["unchanged"] < 25


def test_nobody_publishes_under_another_version_by_oversight(
    powerstage: Run, tmp_path: Path
) -> None:
    """Consumers would refuse it, and it stays in the feed; who names the contract means it."""
    newer = tmp_path / "newer.yaml"
    text = default_text().replace("version: 1.0.0", "version: 1.1.0", 1)
    newer.write_text(text, encoding="utf-8")
    feed, export = tmp_path / "feed", write_upstream_export(tmp_path / "export", 1)
    (export / "contract.odcs.yaml").write_text(default_text(), encoding="utf-8")
    powerstage("synth", feed, "--devices", "1", "--contract", newer)
    refused = powerstage("publish", export, feed)
    assert refused.returncode == 2
    assert "carries contract/power-telemetry/1.1.0.odcs.yaml" in refused.stderr
    meant = powerstage("publish", export, feed, "--contract", export / "contract.odcs.yaml")
    assert "carries contract" not in meant.stderr


@pytest.mark.parametrize("period", ["2026-11-02T0500", "2026-11-02T05:00", "2026-11-02T05:00Z"])
def test_a_period_is_named_as_records_or_as_other_tools_do(
    powerstage: Run, tmp_path: Path, period: str
) -> None:
    """What is retracted is the same each time."""
    powerstage("synth", tmp_path / "feed", "--devices", "1")
    done = powerstage("retract", tmp_path / "feed", period)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "feed" / "commits/telemetry/2026-11-02T0500/r000001.json").is_file()
