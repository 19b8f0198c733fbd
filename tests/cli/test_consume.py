"""``powerstage consume``, ``validate`` and ``status``: a feed, judged and looked at."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from powerstage.contract.load import default_text
from powerstage.producer import ExportSource, open_export, publish
from powerstage.sim import EmbeddedS3
from powerstage.store import FolderStore
from tests.conftest import Run, clock, write_upstream_export

DATA = "data-2026-11-01.csv"
SLOTS = [
    "inventory/2026-11-01T0000/r000000",
    *(f"telemetry/2026-11-01T0{hour}00/r000000" for hour in range(4)),
]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export and its feed, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    with ExportSource(open_export(write_upstream_export(folder / "export", 4))) as source:
        publish(source, FolderStore(folder / "feed"), clock=clock)
    return folder


@pytest.fixture
def feed(template: Path, tmp_path: Path) -> Path:
    """A feed of four periods in a folder, beside the export that it came from."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return tmp_path / "feed"


def commit_of(feed: Path, slot: str) -> Path:
    """The commit of a delivery."""
    return feed / "commits" / f"{slot}.json"


def flip_byte(feed: Path, slot: str) -> None:
    """Change one byte in the middle of a delivery's data."""
    commit: dict[str, Any] = json.loads(commit_of(feed, slot).read_bytes())
    path = feed / commit["files"][0]["key"]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def drop_commit(feed: Path, slot: str) -> None:
    """Take a delivery out of a feed."""
    commit_of(feed, slot).unlink()


def put_stray(feed: Path, slot: str) -> None:
    """Put a note beside a commit."""
    commit_of(feed, slot).with_name("note.txt").write_text("x", encoding="utf-8")


def spoil(path: Path, row: int, right: str, wrong: str) -> None:
    """Change one row of a CSV file; row 1 comes after the header."""
    lines = path.read_text("utf-8").split("\n")
    assert right in lines[row]
    lines[row] = lines[row].replace(right, wrong)
    path.write_text("\n".join(lines), encoding="utf-8")


def content(folder: Path) -> dict[str, bytes | None]:
    """Everything under a folder, by its path there."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def verdicts(document: dict[str, Any]) -> dict[str, str]:
    """The verdict on each delivery of a document."""
    return {delivery["delivery"]: delivery["verdict"] for delivery in document["deliveries"]}


def test_a_sound_feed_is_accepted(powerstage: Run, feed: Path, tmp_path: Path) -> None:
    """Every delivery and every reading, with exit code 0."""
    done = powerstage("consume", feed, "--into", tmp_path / "lake")
    assert done.stdout == "5 new: 5 accepted, 24 readings accepted; 0 judged before\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_a_second_run_has_nothing_new(powerstage: Run, feed: Path, tmp_path: Path) -> None:
    """What was judged is not judged again, and the feed stays as it is."""
    powerstage("consume", feed, "--into", tmp_path / "lake")
    before = content(feed)
    done = powerstage("consume", feed, "--into", tmp_path / "lake")
    assert done.stdout == "0 new, 0 readings accepted; 5 judged before\n"
    assert (done.returncode, done.stderr) == (0, "")
    assert content(feed) == before


def test_another_contract_than_the_one_named_is_rejected(
    powerstage: Run, feed: Path, tmp_path: Path
) -> None:
    """Deliveries that follow another contract than ``--contract`` break it: 1."""
    agreed = tmp_path / "agreed.yaml"
    agreed.write_text(default_text().replace("maximum: 2000", "maximum: 100"), encoding="utf-8")
    done = powerstage("consume", feed, "--into", tmp_path / "lake", "--contract", agreed)
    assert done.returncode == 1
    assert "5 new: 5 rejected, 0 readings accepted" in done.stdout
    assert "the delivery follows the contract" in done.stdout


def test_a_lake_belongs_to_one_consumer(powerstage: Run, feed: Path, tmp_path: Path) -> None:
    """Another name with the same lake is refused with 2, and both names are said."""
    powerstage("consume", feed, "--into", tmp_path / "lake", "--as", "berlin")
    done = powerstage("consume", feed, "--into", tmp_path / "lake", "--as", "houston")
    assert (done.returncode, done.stdout) == (2, "")
    assert "has consumer berlin, not houston" in done.stderr


def test_s3_works_from_end_to_end(
    powerstage: Run, server: EmbeddedS3, feed_url: str, export: Path, tmp_path: Path
) -> None:
    """Published, consumed and looked at through a bucket, each in a process of its own."""
    settings = server.environment()
    published = powerstage("publish", export, feed_url, **settings)
    assert "✓ 5 new" in published.stdout
    consumed = powerstage("consume", feed_url, "--into", tmp_path / "lake", **settings)
    assert consumed.stdout.startswith("5 new: 5 accepted, 24 readings accepted")
    seen = powerstage("status", feed_url, **settings)
    assert seen.stdout.startswith(f"{feed_url}\n")
    assert "consumer: 5 accepted" in seen.stdout
    one = powerstage("validate", f"{feed_url}/commits/{SLOTS[2]}.json", **settings)
    assert f"✓ {SLOTS[2]} accepted" in one.stdout
    assert [done.returncode for done in (published, consumed, seen, one)] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "rows"),
    [
        ("{export}", 27),
        ("{export}/inventory.csv", 3),
        ("{export}/data-2026-11-01.csv", 24),
        (
            "{export}/data-2026-11-01.csv --inventory {export}/inventory.csv --contract {agreed}",
            27,
        ),
        ("{feed}", 27),
        ("{feed}/commits/telemetry/2026-11-01T0200/r000000.json", 9),
    ],
)
def test_validate_passes_what_is_sound_and_writes_nothing(
    powerstage: Run, feed: Path, arguments: str, rows: int
) -> None:
    """Any target is read to its last row: 0, and no file is changed, made or left behind."""
    folder = feed.parent
    (folder / "temporary").mkdir()
    before = content(folder)
    # Values that are made up go with no curve: theirs is the contract of the front matter.
    (agreed,) = (feed / "contract").rglob("*.yaml")
    words = arguments.format(export=folder / "export", feed=feed, agreed=agreed).split()
    done = powerstage("validate", *words, "--json", TMPDIR=str(folder / "temporary"))
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert sum(part["rows"] for part in found.get("deliveries", [found])) == rows
    assert content(folder) == before


@pytest.mark.parametrize(
    "arguments", ["{export}", "{export}/data-2026-11-01.csv", "{export}/inventory.csv"]
)
def test_validate_says_what_is_wrong_and_where(
    powerstage: Run, export: Path, arguments: str
) -> None:
    """A wrong value in a file is named with its row: 1."""
    name, column, row = DATA, "unit", 20
    if "inventory" in arguments:
        name, column, row = "inventory.csv", "location", 2
    spoil(export / name, row, '"W"' if name == DATA else "DE-1", '"kW"' if name == DATA else "?")
    done = powerstage("validate", arguments.format(export=export))
    assert (done.returncode, done.stderr) == (1, "")
    # The header is a line of a file, too.
    assert f"\n{export / name}:{row + 1}: error {column}." in done.stdout


def test_validate_needs_the_inventory_to_know_a_device(powerstage: Run, export: Path) -> None:
    """With ``--inventory``, a reading of a device that is not in it is found: 1."""
    spoil(export / DATA, 3, "8899000002", "8899000009")
    data = export / DATA
    done = powerstage("validate", data, "--inventory", export / "inventory.csv")
    assert done.returncode == 1
    assert f"\n{data}:4: error sn.in_inventory: " in done.stdout


def test_validate_of_a_delivery_leaves_the_others_alone(powerstage: Run, feed: Path) -> None:
    """A sound delivery passes beside a spoilt one; only its inventory is judged with it."""
    flip_byte(feed, SLOTS[1])
    done = powerstage("validate", commit_of(feed, SLOTS[3]), "--json")
    assert done.returncode == 0
    assert verdicts(json.loads(done.stdout)) == {SLOTS[0]: "accepted", SLOTS[3]: "accepted"}


def test_validate_takes_a_commit_from_within_its_feed(powerstage: Run, feed: Path) -> None:
    """Who stands in the feed's folder names the commit as ``ls`` shows it."""
    done = powerstage("validate", f"commits/{SLOTS[2]}.json", cwd=feed)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"✓ {SLOTS[2]} accepted" in done.stdout


def test_validate_of_a_delivery_that_is_not_there(powerstage: Run, feed: Path) -> None:
    """A period that was never delivered is nothing to judge: 4, by its name."""
    done = powerstage("validate", feed / "commits/telemetry/2026-11-01T0900/r000000.json")
    assert (done.returncode, done.stdout) == (4, "")
    assert "telemetry/2026-11-01T0900/r000000 was not delivered" in done.stderr


@pytest.mark.parametrize("command", ["validate {feed}", "consume {feed} --into {tmp}/lake"])
def test_a_flipped_byte_is_named_as_just_that(
    powerstage: Run, feed: Path, tmp_path: Path, command: str
) -> None:
    """One byte changed in a data object: 1, one delivery unreadable, by its digest alone."""
    flip_byte(feed, SLOTS[2])
    done = powerstage(*command.format(feed=feed, tmp=tmp_path).split(), "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert verdicts(found) == dict.fromkeys(SLOTS, "accepted") | {SLOTS[2]: "unreadable"}
    assert [
        (delivery["delivery"], check["id"])
        for delivery in found["deliveries"]
        for check in delivery["findings"]
    ] == [(SLOTS[2], "object.digest")]


def test_a_second_run_recalls_what_was_refused(powerstage: Run, feed: Path, tmp_path: Path) -> None:
    """Nothing is new: 0; but nobody should take the feed for sound."""
    flip_byte(feed, SLOTS[2])
    assert powerstage("consume", feed, "--into", tmp_path / "lake").returncode == 1
    done = powerstage("consume", feed, "--into", tmp_path / "lake")
    assert done.returncode == 0
    assert done.stdout.endswith("5 judged before, 1 of them not accepted\n")


@pytest.mark.parametrize(
    ("command", "spoil_feed", "words"),
    [
        (
            "consume {feed} --into {tmp}/lake",
            drop_commit,
            "! missing: 2026-11-01T0100 (1 period never delivered)\n",
        ),
        (
            "validate {feed}",
            put_stray,
            "! not a commit: commits/telemetry/2026-11-01T0100/note.txt\n",
        ),
    ],
)
def test_a_finding_about_the_feed_breaks_the_contract(
    powerstage: Run,
    feed: Path,
    command: str,
    spoil_feed: Callable[[Path, str], None],
    words: str,
) -> None:
    """A missing period or a stray object is named: 1, though each delivery is accepted."""
    spoil_feed(feed, SLOTS[2])
    done = powerstage(*command.format(feed=feed, tmp=feed.parent).split())
    assert done.returncode == 1
    assert done.stdout.endswith(words)
    assert "rejected" not in done.stdout


def test_status_before_any_verdict(powerstage: Run, feed: Path) -> None:
    """A feed that nobody has consumed: what it holds, no receipt, and 0."""
    done = powerstage("status", feed)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        str(feed),
        "  4 telemetry and 1 inventory deliveries, 2026-11-01T0000 to 2026-11-01T0300",
        "  no consumer has sent a receipt yet",
    ]


def test_status_shows_who_accepted(powerstage: Run, feed: Path, tmp_path: Path) -> None:
    """Each consumer is shown by its name, with its verdicts."""
    for name in ("berlin", "houston"):
        powerstage("consume", feed, "--into", tmp_path / name, "--as", name)
    done = powerstage("status", feed)
    assert done.returncode == 0
    assert done.stdout.splitlines()[2:] == ["  berlin: 5 accepted", "  houston: 5 accepted"]


def test_status_shows_what_was_refused(powerstage: Run, feed: Path, tmp_path: Path) -> None:
    """A delivery that a consumer could not read is shown with the check: 1."""
    flip_byte(feed, SLOTS[2])
    powerstage("consume", feed, "--into", tmp_path / "lake", "--as", "berlin")
    done = powerstage("status", feed)
    assert (done.returncode, done.stderr) == (1, "")
    assert "  berlin: 4 accepted, 1 unreadable\n" in done.stdout
    assert f"  ✗ {SLOTS[2]} unreadable by berlin\n" in done.stdout
    assert "object.digest" in done.stdout


def test_status_shows_what_is_missing(powerstage: Run, feed: Path) -> None:
    """A period without a delivery, between others, is named: 1."""
    drop_commit(feed, SLOTS[3])
    done = powerstage("status", feed)
    assert done.returncode == 1
    assert done.stdout.endswith("! missing: 2026-11-01T0200 (1 period never delivered)\n")
