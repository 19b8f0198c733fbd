"""Files made to do harm: each gets the right verdict, in words fit to be shown."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from powerstage.checks import Checker, InputFile, compile_plan, run
from powerstage.contract import Contract, default
from tests.checks.conftest import found
from tests.fuzzing.desk import Desk, unfit_texts
from tests.fuzzing.parquet import (
    CHUNK_VALUES,
    FILE_ROWS,
    GROUP_ROWS,
    GROUPS,
    SCHEMA,
    ParquetFile,
)
from tests.fuzzing.thrift import BINARY, INTEGERS, Field, Struct

Build = Callable[[bytes], bytes]
# A year, our limits, and the finding with its detail.
Grid = tuple[bytes, dict[str, int], str, str]
NASTY = [
    "a'b\"c",
    "x\0y",
    "\u202eevil\u202c",
    "\x1b[2J\x1b]0;owned\x07",
    "m" * 1_000_000,
    "\u2028\u2029",
    "\x9b31m",
    "\ufeffmark",
    "a\nb\r",
    "\U0001f4a5" * 1_000,
    "'; DROP TABLE device; --",
    "{{7*7}}",
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """One worker judges them all."""
    with Desk(tmp_path_factory.mktemp("hostile")) as desk:
        yield desk


BOMB_ROWS = 30_000


def table(body: bytes) -> pa.Table:
    """The rows of a file."""
    return pq.read_table(io.BytesIO(body))


def written(rows: pa.Table, **form: object) -> bytes:
    """Rows as a file of another hand."""
    out = io.BytesIO()
    pq.write_table(rows, out, store_schema=False, **form)
    return out.getvalue()


def with_column(body: bytes, name: str, values: pa.Array) -> bytes:
    """The file with another column in the place of one."""
    rows = table(body)
    return written(rows.set_column(rows.column_names.index(name), name, values))


def claims_rows(body: bytes, rows: int, *, values: bool = False) -> bytes:
    """The file with another count of rows in its footer, and in that of its columns."""
    file = ParquetFile.parse(written(table(body).slice(0, 1)))
    file.footer.field(FILE_ROWS).value = rows
    file.footer.structs(GROUPS)[0].field(GROUP_ROWS).value = rows
    for chunk in file.chunks() if values else ():
        chunk.field(CHUNK_VALUES).value = rows
    return file.to_bytes()


def nested(body: bytes, depth: int) -> bytes:
    """A schema of groups within groups."""
    file = ParquetFile.parse(body)
    group = Struct(
        fields=[
            Field(number=3, kind=INTEGERS[1], value=1),
            Field(number=4, kind=BINARY, value=b"g"),
            Field(number=5, kind=INTEGERS[1], value=1),
        ]
    )
    schema = file.footer.list(SCHEMA).values
    schema[1:1] = [group] * depth
    return file.to_bytes()


def page_of_gigabytes(body: bytes) -> bytes:
    """A page that says it expands to 2 GiB."""
    file = ParquetFile.parse(body)
    chunk = file.chunks()[0]
    pages = file.pages(chunk)
    pages[0][0].field(2).value = 2**31 - 1
    file.replace_pages(chunk, pages)
    return file.to_bytes()


def dictionary_bomb(body: bytes) -> bytes:
    """Rows that all mean one text of a megabyte: 30 GB in 12 KB."""
    first = table(body).slice(0, 1)
    indices = np.zeros(BOMB_ROWS, dtype="int32")
    columns = {
        name: pa.DictionaryArray.from_arrays(
            indices, ["x" * 1_000_000] if name == "model" else first[name].combine_chunks()
        )
        for name in first.column_names
    }
    return written(pa.table(columns), compression="zstd")


def extremes(body: bytes) -> bytes:
    """Ends at both ends of 64 bits: infinities, and the year 290309 before Christ."""
    moments = [2**63 - 1, -(2**63), 1 - 2**63, 0] * 3
    stamps = pa.array(moments, type=pa.int64()).cast(pa.timestamp("us", "UTC"))
    return with_column(body, "end_time", stamps)


def not_a_number(body: bytes) -> bytes:
    """NaN with a sign, with a payload, and one that signals."""
    bits = [0x7FF8DEAD0000BEEF, 0xFFF8000000000001, 0x7FF0000000000001] * 4
    values = np.array(bits, dtype="uint64").view("float64")
    return with_column(body, "value", pa.array(values, from_pandas=False))


def false_text(body: bytes) -> bytes:
    """Bytes that are no UTF-8, declared as text."""
    raw = pa.array([b"\xff\xfe\xc0"] * 12, type=pa.binary())
    return with_column(body, "sn", pa.Array.from_buffers(pa.string(), 12, raw.buffers()))


def with_more(body: bytes, *names: str) -> bytes:
    """The file with more columns."""
    rows = table(body)
    return written(
        pa.Table.from_arrays(
            [*rows.columns, *[rows["sn"]] * len(names)], names=[*rows.column_names, *names]
        )
    )


FILES: dict[str, tuple[Build, str, set[str]]] = {
    "empty": (lambda body: b"", "unreadable", {"file.readable"}),
    "no footer": (
        lambda body: body[:-400] + bytes(392) + body[-8:],
        "unreadable",
        {"file.readable"},
    ),
    "endless footer": (
        lambda body: body[:-8] + (2**31 - 1).to_bytes(4, "little") + body[-4:],
        "unreadable",
        {"file.readable"},
    ),
    "200 million rows": (
        lambda body: claims_rows(body, 200_000_000, values=True),
        "unreadable",
        {"file.readable"},
    ),
    "4 million rows": (
        lambda body: claims_rows(body, 4_000_000, values=True),
        "unreadable",
        {"file.readable"},
    ),
    "rows beside values": (
        lambda body: claims_rows(body, 4_000_000),
        "unreadable",
        {"file.readable"},
    ),
    "less than no rows": (lambda body: claims_rows(body, -1), "unreadable", {"file.readable"}),
    "1,000 deep": (lambda body: nested(body, 1_000), "unreadable", {"file.readable"}),
    "100,000 deep": (lambda body: nested(body, 100_000), "unreadable", {"file.readable"}),
    "encrypted": (lambda body: body[:-4] + b"PARE", "unreadable", {"file.readable"}),
    "page of gigabytes": (page_of_gigabytes, "unreadable", {"file.readable"}),
    "false text": (false_text, "unreadable", {"file.readable"}),
    "300 columns more": (
        lambda body: with_more(body, *(f"extra {index}" for index in range(300))),
        "rejected",
        {"columns.agreed"},
    ),
    "a column twice": (lambda body: with_more(body, "sn"), "rejected", {"columns.agreed"}),
    "a column in capitals": (lambda body: with_more(body, "SN"), "rejected", {"columns.agreed"}),
    "a column that is code": (
        lambda body: with_more(body, "\x1b[2J\u202e\0\"'" + "x" * 100_000),
        "rejected",
        {"columns.agreed"},
    ),
    "10,000 columns": (
        lambda body: written(pa.table({f"c{index}": [1.0] for index in range(10_000)})),
        "rejected",
        {"columns.agreed"},
    ),
    "INT96": (
        lambda body: written(table(body), use_deprecated_int96_timestamps=True),
        "rejected",
        {"types.agreed"},
    ),
    "extreme stamps": (extremes, "rejected", {"end_time.finite", "reading.interval"}),
    "not a number": (not_a_number, "rejected", {"value.finite"}),
    "nasty texts": (
        lambda body: with_column(body, "sn", pa.array(NASTY)),
        "rejected",
        {"sn.in_inventory", "grid.complete", "device.silent"},
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_gets_its_verdict(desk: Desk, name: str) -> None:
    """The right one; what is said of it is short and obeyed by no terminal; the next is fine."""
    build, verdict, ids = FILES[name]
    judgement = desk.judge_file(build(desk.files[0]))
    assert (judgement.verdict, found(judgement.report)) == (verdict, ids)
    assert not unfit_texts(judgement)
    desk.require_sound_worker()


def test_a_dictionary_bomb_does_no_harm(desk: Desk) -> None:
    """It is refused: by what is wrong with its rows, or where they do not fit into memory."""
    judgement = desk.judge_file(dictionary_bomb(desk.files[0]), BOMB_ROWS)
    assert judgement.verdict in {"rejected", "unreadable"}
    assert not unfit_texts(judgement)
    desk.require_sound_worker()


def test_what_is_unsafe_is_written_out(desk: Desk) -> None:
    """Not dropped: who looks for it finds it."""
    judgement = desk.judge_file(with_column(desk.files[0], "sn", pa.array(NASTY)))
    (finding,) = [f for f in judgement.report.findings if f.check.id == "sn.in_inventory"]
    shown = [dict(sample.values)["sn"] for sample in finding.samples]
    assert shown[:4] == ["a'b\"c", "x\\x00y", "\\u202eevil\\u202c", "\\x1b[2J\\x1b]0;owned\\x07"]
    assert shown[4] == "m" * 199 + "…"


def test_a_complaint_names_its_cause_not_our_query(desk: Desk) -> None:
    """What the reader quotes of the statement that it was given helps nobody."""
    (finding,) = desk.judge_file(b"PAR1" * 4).report.findings
    assert "DESCRIBE" not in finding.detail
    assert finding.detail


HEADER = b"sn,model,product_id,location,start_time,end_time,source,type,unit,value\n"
LINE = b"S1,m,p,ND-02,2026-11-02 05:00:00,2026-11-02 06:00:00,iLo,server power,W,130.0\n"
TEXTS: dict[str, tuple[bytes, set[str]]] = {
    "NUL alone": (b"\0" * 5_000, {"columns.agreed"}),
    "NUL in the header": (HEADER.replace(b"value", b"value\0") + LINE, {"columns.agreed"}),
    "NUL in a value": (HEADER + LINE.replace(b"iLo", b"i\0o"), {"source.allowed"}),
    "a quote that never ends": (HEADER + b'"' + LINE * 1_000, {"file.readable"}),
    "a line of 3 MB": (HEADER + LINE.replace(b"iLo", b"x" * 3_000_000), {"file.readable"}),
    "a header of 5 MB": (b"a" * 5_000_000, {"file.readable"}),
    "a header of 10,000 names": (b"a," * 9_999 + b"a\n", {"columns.agreed"}),
    "300 names more": (
        HEADER.rstrip() + b"".join(b",extra%d" % index for index in range(300)) + b"\n",
        {"columns.agreed"},
    ),
    "a line of 10,000 fields": (HEADER + b"a," * 10_000 + b"\n", {"file.readable"}),
    "code for a terminal": (
        HEADER + LINE.replace(b"iLo", b"\x1b[31m\xe2\x80\xae").replace(b"130.0", b"\x1b[2J"),
        {"source.allowed", "value.type"},
    ),
    "code in the header": (HEADER.rstrip() + b",\x1b[2J\xe2\x80\xae\n", {"columns.agreed"}),
    "numbers without end": (HEADER + LINE.replace(b"130.0", b"9" * 100_000), {"value.finite"}),
    "a year without end": (
        HEADER + LINE.replace(b"2026", b"9" * 1_000),
        {"start_time.type", "end_time.type"},
    ),
    "not UTF-8": (HEADER + LINE.replace(b"iLo", b"\xe9\xff"), {"file.readable"}),
    "UTF-16": (HEADER.decode().encode("utf-16"), {"file.readable"}),
    "a Parquet file": (b"PAR1\xa8\x00" * 100, {"file.readable"}),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_csv_gets_its_verdict(
    contract: Contract, checker: Checker, tmp_path: Path, name: str
) -> None:
    """What can be read is held against the contract; the rest says why, in few words."""
    body, ids = TEXTS[name]
    path = tmp_path / "data.csv"
    path.write_bytes(body)
    plan = compile_plan(contract, "telemetry", "csv", with_inventory=False)
    report = checker.check(plan, [InputFile(path=path, name="data.csv")])
    assert found(report) == ids
    for finding in report.findings:
        assert len(finding.detail) <= 1_000
        assert not set("\x1b\0\u202e") & set(str(finding.samples) + finding.detail)


@pytest.mark.parametrize(
    "case",
    [
        (b"4026", {}, "grid.complete", ""),
        (b"9026", {}, "rows.as_committed", "readings are expected: more than can be judged"),
        (b"2026", {"DEVICES_MAX": 5}, "rows.as_committed", "6 devices are expected: more than"),
    ],
    ids=["one can be judged", "one cannot", "devices"],
)
def test_a_grid_far_larger_than_the_file_is_no_harm(
    desk: Desk, checker: Checker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: Grid
) -> None:
    """A stamp of a far year asks for hundreds of millions of readings: broken, and readable."""
    year, limit, finding, detail = case
    for name, value in limit.items():
        monkeypatch.setattr(run, name, value)
    path = tmp_path / "data.csv"
    sound = LINE.replace(b"S1", table(desk.files[0])["sn"][0].as_py().encode())
    path.write_bytes(HEADER + sound + sound.replace(b"2026", year))
    report = checker.check(
        compile_plan(default(), "telemetry", "csv"),
        [InputFile(path=path, name="data.csv")],
        inventory=[(desk.inventory, "parquet")],
    )
    (found_,) = [f for f in report.findings if f.check.id == finding]
    assert detail in found_.detail
    assert "file.readable" not in found(report)
