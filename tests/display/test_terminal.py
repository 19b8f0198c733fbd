"""What reaches a terminal or a pipe: the text, and nothing that a text from outside orders."""

import io
import os
import pty
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerstage.checks import Check, Report, Sample, fails
from powerstage.contract.safe_text import safe
from powerstage.display import Terminal
from powerstage.display.report import show_report
from powerstage.display.terminal import BAD, BOLD, GOOD, Span

STYLE = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = {
    "\x1b[2J\x1b[31mred": r"\x1b[2J\x1b[31mred",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "\x9b31m": r"\x9b31m",
    "a\rb\nc\td\be": r"a\rb\nc\td\x08e",
    "nul\x00del\x7f": r"nul\x00del\x7f",
    "\u202egnp.exe\u202c": r"\u202egnp.exe\u202c",
    "\u2066user\u2069": r"\u2066user\u2069",
    "zero\u200bwidth\ufeff": r"zero\u200bwidth\ufeff",
    "line\u2028paragraph\u2029": r"line\u2028paragraph\u2029",
    "half\ud800": r"half\ud800",
    "\U000e0041tag": r"\U000e0041tag",
}


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal with colours, whatever this one is."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def plain(text: str) -> str:
    """A text without styles."""
    return STYLE.sub("", text)


@pytest.mark.parametrize("kind", [io.StringIO, Tty])
@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_and_not_obeyed(kind: type[io.StringIO], text: str) -> None:
    """Control characters, escapes and turns of direction appear as Python writes them."""
    stream = kind()
    Terminal(stream).line("device ", (text, BAD), " end")
    assert plain(stream.getvalue()) == f"device {HOSTILE[text]} end\n"


@given(st.text(max_size=60))
def test_no_text_writes_more_than_its_line(text: str) -> None:
    """Whatever comes from outside: one line, printable, and of UTF-8."""
    stream = io.StringIO()
    Terminal(stream).line(text)
    line = stream.getvalue().encode("utf-8").decode("utf-8")
    assert line.splitlines() == ([line[:-1]] if text else [""])
    assert {unicodedata.category(char) for char in line[:-1]} & {"Cc", "Cf", "Cs"} == set()


@given(st.text(st.characters(categories=("L", "N", "P", "S", "M")), max_size=60))
def test_an_honest_text_stays_as_it_is(text: str) -> None:
    """Letters of any script, digits, signs: shown as they were written."""
    assert safe(f"{text} é 東京 ✓ [bold]x[/bold]") == f"{text} é 東京 ✓ [bold]x[/bold]"


def test_a_pipe_gets_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colour, not even where colour is forced, and no word read as markup."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    terminal = Terminal(stream)
    terminal.line(("✗ ", BAD), ("[red]x[/red] :smile:", BOLD), " 12 https://x.example")
    terminal.table(["a", "b"], [["1", ("2", GOOD)]])
    assert stream.getvalue() == (
        "✗ [red]x[/red] :smile: 12 https://x.example\n  a  b\n  ────\n  1  2\n"
    )


@pytest.mark.parametrize("kind", [io.StringIO, Tty])
def test_a_long_line_is_neither_wrapped_nor_cut(kind: type[io.StringIO]) -> None:
    """Ten thousand characters with blanks in them are one line: grep finds the end of it."""
    stream, words = kind(), "word " * 2_000
    Terminal(stream).line((words, BAD), "end")
    assert plain(stream.getvalue()) == f"{words}end\n"


def test_a_terminal_gets_styles() -> None:
    """Red for red, bold for bold, nothing for text without a style; markup is text."""
    stream = Tty()
    Terminal(stream).line(("bad", BAD), " [green]12[/green] ", ("name", BOLD))
    assert stream.getvalue() == "\x1b[31mbad\x1b[0m [green]12[/green] \x1b[1mname\x1b[0m\n"


def test_a_real_terminal_is_known_as_one() -> None:
    """The other end of a pseudo-terminal sees colours."""
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, "w", encoding="utf-8") as stream:
            Terminal(stream).line(("✓ ", GOOD), "fine")
            stream.flush()
            seen = os.read(ours, 1_000).decode("utf-8")
    finally:
        os.close(ours)
    assert seen == "\x1b[32m✓ \x1b[0mfine\r\n"


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR takes the colours away, on a terminal too."""
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Tty()
    Terminal(stream).line(("bad", BAD), " text")
    assert stream.getvalue() == "bad text\n"


@pytest.mark.parametrize("kind", [io.StringIO, Tty])
def test_the_columns_of_a_table_align(kind: type[io.StringIO]) -> None:
    """Each begins where its header does, also beside cells with a style or with escapes."""
    stream = kind()
    rows: list[list[Span]] = [
        ["x", ("a\nb", GOOD), "C1"],
        ["a longer cell", "\x1b[31m", "C2"],
        ["", "", "C3"],
    ]
    Terminal(stream).table(["first", "second", "third"], rows)
    lines = plain(stream.getvalue()).splitlines()
    assert len(lines) == 5
    assert [lines[0].index("second"), lines[0].index("third")] == [17, 27]
    assert [line.index(f"C{number}") for number, line in enumerate(lines[2:], 1)] == [27] * 3
    assert [lines[2].index(r"a\nb"), lines[3].index(r"\x1b[31m")] == [17, 17]
    assert lines[1] == "  " + "─" * (len(lines[0]) - 2)


def test_wide_characters_take_two_cells() -> None:
    """And those that only mark another take none: the next column begins where it should."""
    stream = io.StringIO()
    Terminal(stream).table(["site", "code"], [["東京", "C1"], ["e\u0301te\u0301", "C2"]])
    lines = stream.getvalue().splitlines()
    assert lines[0] == "  site  code"
    assert lines[2:] == ["  東京  C1", "  e\u0301te\u0301   C2"]


def test_a_finding_shows_hostile_values_harmlessly() -> None:
    """File, value and detail of a report come from outside, and stay in their cells."""
    check = Check(id="x.range", words="x", expected="0..1", severity="error", at="c.yaml:1")
    sample = Sample(file="a\x1b[8m.parquet", row=3, values=(("value", "\u202e7\n✓ accepted"),))
    finding = fails(check, failed=1, total=2, samples=(sample,), detail="at\r\x1b[1A")
    report = Report(results=(finding,), rows=2)
    plain_stream, stream = io.StringIO(), Tty()
    show_report(Terminal(plain_stream), "name\x07", report)
    head, row, _ = plain_stream.getvalue().splitlines()
    assert head.startswith(r"✗ name\x07 ")
    assert row.startswith(r"a\x1b[8m.parquet:3: error x.range: x: at\r\x1b[1A: ")
    assert row.endswith(r'value="\u202e7\n✓ accepted"')
    show_report(Terminal(stream), "name\x07", report)
    lines = plain(stream.getvalue()).splitlines()
    assert lines[0].startswith(r"✗ name\x07 ")
    assert r"    at\r\x1b[1A" in lines
    assert r"  a\x1b[8m.parquet  3    \u202e7\n✓ accepted" in lines


def test_a_narrow_terminal_gets_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that does not fit is told row by row, which wraps where it must."""
    monkeypatch.setenv("COLUMNS", "40")
    check = Check(id="x.range", words="x", expected="0..1", severity="error", at="c.yaml:1")
    values = (("device", "a device of a long name"), ("value", "7"))
    finding = fails(check, samples=(Sample(file="a.parquet", row=3, values=values),))
    stream = Tty()
    show_report(Terminal(stream), "name", Report(results=(finding,), rows=2))
    text = plain(stream.getvalue())
    assert '    a.parquet:3 device="a device of a long name" value="7"\n' in text
    assert "─" not in text
