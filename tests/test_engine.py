"""The engine: counter-based randomness that never changes, and text that stays text."""

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerstage import engine
from powerstage.engine import KNOWN_ANSWERS, connect, sql_name, sql_text

ALL_BITS = 2**64 - 1
UBIGINTS = st.lists(st.integers(0, ALL_BITS), min_size=1, max_size=50)
# What UTF-8 can say: a lone half of a pair is no text.
# All but NUL, which no contract may hold, and which ends a statement in DuckDB 1.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.sampled_from(
    ["'; DROP TABLE device; --", "''", '"', '""', "\\", "\\'", "$$", "?", "$1", "💥"]
)


@pytest.fixture(scope="module")
def fast() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection as it opens."""
    with connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def portable() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with the form of the mixer that needs nothing of DuckDB's."""
    with connect() as connection:
        engine._define(connection, engine._PORTABLE)
        yield connection


def mix64(number: int) -> int:
    """The mixer, from its definition."""
    for _ in range(2):
        number ^= number >> 32
        number = number * 0xD6E8FEB86659FD93 & ALL_BITS
    return number ^ number >> 32


def call(connection: duckdb.DuckDBPyConnection, macro: str, numbers: list[int]) -> list[float]:
    """What a macro makes of some integers."""
    rows = connection.execute(
        f"SELECT {macro}(number) FROM (SELECT unnest(?::UBIGINT[]) AS number)", [numbers]
    ).fetchall()
    return [value for (value,) in rows]


def test_the_known_answers_follow_from_the_definition() -> None:
    """They were not copied from the function that they guard."""
    assert {number: mix64(number) for number in KNOWN_ANSWERS} == KNOWN_ANSWERS


@given(UBIGINTS)
def test_both_forms_of_the_mixer_follow_the_definition(
    fast: duckdb.DuckDBPyConnection, portable: duckdb.DuckDBPyConnection, numbers: list[int]
) -> None:
    """The fast form, the portable one and Python agree on any 64 bits."""
    expected = [mix64(number) for number in numbers]
    assert call(fast, "mix64", numbers) == expected
    assert call(portable, "mix64", numbers) == expected


def test_an_engine_with_another_hash_gets_the_portable_mixer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A version of DuckDB whose hash differs gives the same data nevertheless."""
    monkeypatch.setattr(engine, "_FAST", {"mix64(x)": "hash(x::UBIGINT) + 1"})
    with connect() as connection:
        assert call(connection, "mix64", [5]) == [mix64(5)]


@given(UBIGINTS)
def test_unif_is_the_upper_53_bits_as_a_fraction(
    fast: duckdb.DuckDBPyConnection, numbers: list[int]
) -> None:
    """Exact, from 0 up to but never 1."""
    found = call(fast, "unif", [*numbers, 0, ALL_BITS])
    assert found == [(number >> 11) / 2**53 for number in [*numbers, 0, ALL_BITS]]
    assert 0 <= min(found) <= max(found) < 1


@pytest.mark.parametrize(("macro", "mean", "deviation"), [("unif", 0.5, 12**-0.5), ("gau", 0, 1)])
def test_mixed_numbers_are_spread_as_promised(
    fast: duckdb.DuckDBPyConnection, macro: str, mean: float, deviation: float
) -> None:
    """Mean and deviation over a hundred thousand draws."""
    ((found_mean, found_deviation),) = fast.execute(
        f"SELECT avg(x), stddev(x) FROM (SELECT {macro}(mix64(range)) AS x FROM range(1, 100001))"
    ).fetchall()
    assert found_mean == pytest.approx(mean, abs=0.01)
    assert found_deviation == pytest.approx(deviation, abs=0.01)


def test_stamps_are_in_utc_wherever_the_machine_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The machine's zone does not reach the session."""
    monkeypatch.setenv("TZ", "America/Chicago")
    with connect() as connection:
        ((text,),) = connection.execute(
            "SELECT ('2026-11-02 05:00:00'::TIMESTAMPTZ AT TIME ZONE 'UTC')::VARCHAR"
        ).fetchall()
    assert text == "2026-11-02 05:00:00"


@pytest.mark.parametrize("query", ["FROM 'https://127.0.0.1:9/x.parquet'", "SELECT ST_Point(1, 2)"])
def test_nothing_is_downloaded(fast: duckdb.DuckDBPyConnection, query: str) -> None:
    """What needs an extension that is not there is an error that says so."""
    with pytest.raises(duckdb.Error, match="INSTALL"):
        fast.execute(query)


def test_limits_are_those_that_were_asked_for() -> None:
    """Threads and memory are the caller's to set."""
    with connect(threads=1, memory_limit="64MiB") as connection:
        limits = connection.execute(
            "SELECT current_setting('threads'), current_setting('memory_limit')"
        ).fetchall()
    assert limits == [(1, "64.0 MiB")]


@given(TEXTS)
def test_a_text_comes_back_from_a_literal_as_it_was(
    fast: duckdb.DuckDBPyConnection, text: str
) -> None:
    """Whatever quotes and commands are in it."""
    assert fast.execute(f"SELECT {sql_text(text)}").fetchall() == [(text,)]


@given(TEXTS.filter(bool))
def test_a_name_comes_back_from_an_identifier_as_it_was(
    fast: duckdb.DuckDBPyConnection, name: str
) -> None:
    """It can be given to a column, and the column found by it."""
    found = fast.execute(f"SELECT {sql_name(name)} FROM (SELECT 42 AS {sql_name(name)})")
    assert [column[0] for column in found.description or ()] == [name]
    assert found.fetchall() == [(42,)]
