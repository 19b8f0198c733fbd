"""Reading a CSV: nothing is guessed, nothing is dropped."""

from pathlib import Path

import pytest

from powerstage.checks import files
from powerstage.engine import connect

ROWS = [("1", "2"), ("3", None)]


def read(path: Path) -> list[tuple[str | None, ...]]:
    """All rows of a CSV, as the checks read them."""
    with connect() as connection:
        return connection.execute(f"SELECT * FROM {files.reader(str(path), 'csv')}").fetchall()


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n3,\n",
        "a,b\r\n1,2\r\n3,\r\n",
        "\ufeffa,b\n1,2\n3,\n",
        '"a","b"\n"1","2"\n"3",""\n',
        "a,b\n1,2\n3,",
        "a,b\n1,2\n\n3,\n",
    ],
    ids=["plain", "crlf", "mark", "quoted", "no end", "blank line"],
)
def test_the_same_rows_in_any_hand(tmp_path: Path, text: str) -> None:
    """Line ends, a byte order mark, quotes and a blank line change nothing."""
    path = tmp_path / "file.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert files.csv_header(str(path)) == ["a", "b"]
    assert read(path) == ROWS


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"a,b\n1,2\n3\n", "Line: 3"),
        (b"a,b\n1,2\n3,4,5\n", "Line: 3"),
        (b'a,b\n1,2\n"3,4\n', "unterminated quote"),
        (b"a,b\n1,2\r\n3,4\n", "its lines end in different ways"),
        (b"a,a\n1,2\n", "the header names a twice"),
        (b'"a,b\n1,2\n', "the header is no line of a CSV"),
        (b"a,\xe9\n1,2\n", "'utf-8' codec can't decode"),
        (b"a," + b"b" * 70_000, "the header is longer than 65536 characters"),
    ],
)
def test_a_line_that_is_none_is_named(tmp_path: Path, body: bytes, words: str) -> None:
    """What is no CSV is refused in one line that says where, without advice to look away."""
    path = tmp_path / "file.csv"
    path.write_bytes(body)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever the reader raises
        read(path)
    complaint = files.complaint(caught.value)
    assert words in complaint
    assert "strict_mode" not in complaint
    assert "\n" not in complaint


def test_texts_in_every_column_are_no_reason_to_lose_the_header(tmp_path: Path) -> None:
    """A file without rows, or with texts alone, keeps its columns."""
    path = tmp_path / "file.csv"
    path.write_text("a,b\n", encoding="utf-8")
    assert read(path) == []
    path.write_text("a,b\nx,y\n", encoding="utf-8")
    assert read(path) == [("x", "y")]


@pytest.mark.parametrize(
    ("type_", "text", "is_one"),
    [
        ("BIGINT", "12", True),
        ("BIGINT", "-7", True),
        ("BIGINT", "12.7", False),
        ("BIGINT", "0x1F", False),
        ("BIGINT", "1_000", False),
        ("DOUBLE", "1e3", True),
        ("DOUBLE", ".5", True),
        ("DOUBLE", "NaN", True),
        ("DOUBLE", "-Infinity", True),
        ("DOUBLE", "1_0", False),
        ("BOOLEAN", "TRUE", True),
        ("BOOLEAN", "yes", False),
        ("DATE", "2026-11-01", True),
        ("DATE", "2026-11-01 23:59:59", False),
    ],
)
def test_a_value_is_written_as_its_type(type_: str, text: str, is_one: bool) -> None:
    """DuckDB would make 13 of 12.7: what is published is what was exported, or refused."""
    with connect() as connection:
        query = f"SELECT {files._cast('text', type_)} IS NOT NULL FROM (SELECT $1 AS text)"
        assert connection.execute(query, [text]).fetchall() == [(is_one,)]
