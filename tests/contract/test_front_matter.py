"""The old front matter comes in and goes out."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerstage.contract import front_matter, loads
from powerstage.contract.load import default_text
from powerstage.errors import ContractError

README = """\
---
glcp_customer_id: 2e6256c0542e11eda7f1b658e46295f1
devices: inventory.csv
data: data-*-*-*.csv
update: 1 hr
---

# Description

Readings of "two" racks: not real, 'quoted' and # hashed.
    Indented, with a trailing blank.\x20

The end.
"""


def test_a_readme_comes_back_to_the_letter() -> None:
    """README to contract to README changes nothing."""
    contract = loads(front_matter.to_contract(front_matter.parse(README, "README.md")), "x")
    assert front_matter.write(contract) == README


def test_the_contract_says_what_the_readme_said() -> None:
    """Customer, files and interval stand in their places of the contract."""
    text = README.replace("1 hr", "15 min").replace("inventory.csv", "devices.csv")
    base = default_text().replace("intervalSeconds: 3600", "intervalSeconds: 300")
    contract = loads(front_matter.to_contract(front_matter.parse(text, "r"), base), "x")
    assert contract.tenant == "2e6256c0542e11eda7f1b658e46295f1"
    assert (contract.export.devices, contract.export.data) == ("devices.csv", "data-*-*-*.csv")
    assert contract.delivery_interval == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("update", "interval"),
    [
        ("1 hr", timedelta(hours=1)),
        ("24 hr", timedelta(days=1)),
        ("2 hours", timedelta(hours=2)),
        ("60 min", timedelta(hours=1)),
        ("3600 sec", timedelta(hours=1)),
        ("1 day", timedelta(days=1)),
        ("1h", timedelta(hours=1)),
    ],
)
def test_every_spelling_of_an_interval_is_known(update: str, interval: timedelta) -> None:
    """People wrote it in many ways."""
    text = README.replace("update: 1 hr", f"update: {update}")
    contract = loads(front_matter.to_contract(front_matter.parse(text, "r")), "x")
    assert contract.delivery_interval == interval


@pytest.mark.parametrize(
    ("part", "instead", "line"),
    [
        ("update: 1 hr", "update: often", 5),
        ("update: 1 hr", "updates: 1 hr", 5),
        ("devices: inventory.csv", "devices: [a]", 3),
        ("data: data", "data: data\ndata: data", 5),
    ],
)
def test_a_wrong_line_is_named(part: str, instead: str, line: int) -> None:
    """File and line, as in a contract."""
    with pytest.raises(ContractError) as caught:
        front_matter.parse(README.replace(part, instead, 1), "README.md")
    assert f"README.md:{line}:" in "".join(caught.value.problems)


@pytest.mark.parametrize("text", ["", "# Words", "---\nnever closed: 1\n"])
def test_a_readme_without_front_matter_is_told(text: str) -> None:
    """There is nothing to import."""
    with pytest.raises(ContractError, match="no front matter"):
        front_matter.parse(text, "README.md")


def test_a_path_out_of_the_folder_is_refused() -> None:
    """A README comes from outside: it names files beside itself, and is blamed by its name."""
    text = README.replace("inventory.csv", "../../etc/passwd")
    with pytest.raises(ContractError) as caught:
        front_matter.to_contract(front_matter.parse(text, "README.md"))
    (problem,) = caught.value.problems
    assert problem.startswith("README.md:1: path is the name of files in one folder")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n")))
def test_any_prose_survives(prose: str) -> None:
    """Whatever people wrote below the front matter, the contract keeps it."""
    body = "\n".join(prose.splitlines()).strip("\n")
    text = README.partition("---\n\n")[0] + "---\n\n" + body + "\n"
    front = front_matter.parse(text, "r")
    contract = loads(front_matter.to_contract(front), "x")
    if front.body:
        assert contract.purpose == front.body
