"""What a user imports: five lines to publish, five to read, and every name says what it is."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import powerstage
from powerstage import consumer, contract, producer, store
from tests.conftest import ROOT, START, clock

ROOMS = sorted(
    module.name
    for module in pkgutil.iter_modules(powerstage.__path__)
    if module.ispkg and module.name not in {"cli", "pytest_plugin"}
)
NAMES = [
    (room, name) for room in ROOMS for name in importlib.import_module(f"powerstage.{room}").__all__
]


@pytest.fixture(params=["folder", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a feed may be: a folder, or a bucket."""
    named: str = (
        str(tmp_path / "feed") if request.param == "folder" else request.getfixturevalue("feed_url")
    )
    return named


def test_data_go_from_one_side_to_the_other_in_five_lines_each(url: str, tmp_path: Path) -> None:
    """Published with one call and a source; read as an Arrow table and as a DuckDB relation."""
    source = producer.synthesise(contract.default(), devices=3, start=START)
    published = producer.publish(source, store.open_store(url), clock=clock)
    assert len(published) == 25

    with consumer.Lake(tmp_path / "lake", make=True) as lake:
        consumer.consume(store.open_store(url), lake, clock=clock)
        table = lake.telemetry().to_arrow_table()
        relation = lake.telemetry().filter("type = 'server power'").aggregate("sn, max(value) > 0")
        assert isinstance(relation, duckdb.DuckDBPyRelation)
        powered = relation.fetchall()
        devices = lake.inventory().to_arrow_table()

    assert isinstance(table, pa.Table)
    columns = [column.name for column in contract.default().telemetry.columns]
    assert (table.num_rows, table.column_names) == (144, columns)
    assert table.schema.field("start_time").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("value").type == pa.float64()
    assert sorted(powered) == [(sn, True) for sn in sorted(devices["sn"].to_pylist())]


def test_a_lake_outlives_the_run_that_filled_it(tmp_path: Path) -> None:
    """Another program opens it by its folder, given as a text, and finds the same."""
    text = contract.default().text.replace("value: 1\n    unit: h", "value: 1\n    unit: d")
    source = producer.synthesise(contract.loads(text, "daily"), devices=1, start=START)
    feed = store.MemoryStore()
    producer.publish(source, feed, clock=clock)
    with consumer.Lake(str(tmp_path / "lake"), make=True) as lake:
        consumer.consume(feed, lake, clock=clock)
    with consumer.Lake(str(tmp_path / "lake")) as lake:
        assert lake.telemetry().count("*").fetchall() == [(48,)]
        assert lake.inventory().columns == ["sn", "model", "product_id", "location"]


def test_the_rooms_are_those_that_the_package_tells_of() -> None:
    """Its docstring names each, and tells how to import from one."""
    assert powerstage.__doc__ is not None
    words = [line.split()[:1] for line in powerstage.__doc__.splitlines()]
    assert [room for room in ROOMS if [room] not in words] == []
    assert {"consumer", "contract", "producer", "store"} <= set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_lists_what_it_offers_in_order(room: str) -> None:
    """Constants, then classes, then functions, each by name; every one of them is there."""
    module = importlib.import_module(f"powerstage.{room}")

    def place(name: str) -> tuple[int, str]:
        return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)

    assert module.__all__ == sorted(set(module.__all__), key=place)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert inspect.getdoc(module)


def members(thing: Any) -> dict[str, Any]:
    """A class or function, and the public methods and properties that the class defines."""
    found = {"itself": thing}
    if inspect.isclass(thing):
        found |= {
            name: member
            for name, member in vars(thing).items()
            if not name.startswith("_")
            and (inspect.isroutine(member) or isinstance(member, property))
        }
    return found


@pytest.mark.parametrize(("room", "name"), NAMES)
def test_what_is_public_says_what_it_is(room: str, name: str) -> None:
    """Each class, function, method and property has a docstring of its own."""
    thing = getattr(importlib.import_module(f"powerstage.{room}"), name)
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return
    for member, what in members(thing).items():
        words = inspect.getdoc(what) or ""
        # A dataclass without one is given its signature.
        assert words, member
        assert not words.startswith(f"{name}("), member


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Whoever asks for the version does not wait for an engine."""
    script = (
        "import sys, powerstage; assert powerstage.__version__;"
        " print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    loaded = set(done.stdout.split())
    assert "powerstage" in loaded
    assert loaded & {"boto3", "botocore", "click", "duckdb", "moto", "pyarrow", "rich"} == set()


def test_the_package_is_typed() -> None:
    """A user's type checker reads our types."""
    assert (Path(powerstage.__path__[0]) / "py.typed").is_file()
