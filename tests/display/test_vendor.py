"""Vega's JavaScript in the package: whose files they are, and that Altair writes for them."""

import re
from hashlib import sha256
from importlib.resources import files

import altair as alt
import pytest

FOLDER = files("powerstage") / "display" / "vendor"
# Each file that the README names, with its version and digest.
NAMED = {
    name: (version, digest)
    for name, version, digest in re.findall(
        r"^\| (\S+\.js) \| \S+@(\S+) \| ([0-9a-f]{64}) \|$",
        (FOLDER / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )
}


def test_every_script_is_named() -> None:
    """The README names the files that are there, and no others."""
    assert sorted(NAMED) == sorted(
        file.name for file in FOLDER.iterdir() if file.name.endswith(".js")
    )


@pytest.mark.parametrize("name", NAMED)
def test_a_script_is_the_one_that_is_named(name: str) -> None:
    """Nobody has changed a byte of it."""
    _, digest = NAMED[name]
    assert sha256((FOLDER / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("vega.min.js", alt.VEGA_VERSION),
        ("vega-lite.min.js", alt.SCHEMA_VERSION.removeprefix("v")),
        ("vega-embed.min.js", alt.VEGAEMBED_VERSION),
    ],
)
def test_a_script_is_of_the_version_that_altair_wants(name: str, wanted: str) -> None:
    """Altair says how much of a version matters to it: all of it, or where it begins."""
    version, _ = NAMED[name]
    assert f"{version}.".startswith(f"{wanted}.")


@pytest.mark.parametrize("name", NAMED)
def test_a_script_can_stand_in_a_page(name: str) -> None:
    """Nothing in it ends the element that holds it, nor begins a comment there."""
    text = (FOLDER / name).read_text("utf-8").lower()
    assert [part for part in ("</script", "<!--") if part in text] == []
