"""The data unit tests of the contract, for duckdb and pytest alone; checks.json has the SQL."""

import csv
import glob
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

KIT = Path(__file__).parents[1]
AGREED = json.loads(Path(__file__).with_name("checks.json").read_text("utf-8"))
Json = dict[str, Any]
Files = dict[Path, int | None]  # and how many rows each was promised to hold
Outcome = tuple[Json, int, str]  # a check, how many fail it, and that in words


@pytest.fixture(scope="session")
def outcomes(request: pytest.FixtureRequest) -> list[Outcome]:
    """All data are looked at once, before the first test."""
    named = request.config.getoption("--target")
    found: list[Outcome] = []
    for folder in [Path(named)] if named else [KIT, KIT / "feed"]:
        found += judge_feed(folder) if (folder / "commits").is_dir() else judge_export(folder)
    return found or pytest.exit(f"{named or KIT} holds neither a feed nor an export", 4)


@pytest.mark.parametrize("check", AGREED["checks"])
def test_check(check: str, outcomes: list[Outcome]) -> None:
    """The data keep this rule of the contract."""
    mine = [outcome for outcome in outcomes if outcome[0]["id"] == check]
    if not mine:
        pytest.skip("no file here is of the kind that it is for, or none came so far")
    if words := "\n\n".join(words for _, failed, words in mine if failed):
        if mine[0][0]["severity"] == "warning":
            pytest.xfail(words)
        pytest.fail(words, pytrace=False)


def judge_feed(feed: Path) -> Iterator[Outcome]:
    """Each delivery by itself: its files against its period and the inventory that it pins."""
    accepted: dict[str | None, Files | None] = {None: {}}
    for path in sorted(feed.glob("commits/*/*/r*.json")):
        commit = json.loads(path.read_text("utf-8"))
        where = f"{commit['dataset']}/{commit['period']}/{path.stem}"
        files = {feed / file["key"]: file["rows"] for file in commit["files"]}
        inventory = accepted.get(commit["inventory"])
        outcomes = [tell(where, AGREED["inventory_check"], int(inventory is None), 1, [])]
        if inventory is not None and files:
            outcomes += judge(where, commit["dataset"], files, inventory, commit["period"])
        if not any(failed and rule["severity"] == "error" for rule, failed, _ in outcomes):
            accepted[f"{where}@{commit['identity']}"] = files or None
        yield from outcomes


def judge_export(folder: Path) -> Iterator[Outcome]:
    """The inventory, then, if that can be read, all readings against it."""
    names, readme = AGREED["export"], folder / "README.md"
    if readme.is_file():
        front = readme.read_text("utf-8-sig").partition("\n---")[0]
        names = names | dict(re.findall(r'^(devices|data): *"?(.+?)"? *$', front, re.MULTILINE))
    elif not (folder / names["devices"]).is_file():
        names = {"devices": "inventory.parquet", "data": "*.parquet"}
    devices = folder / names["devices"]
    data = [path for path in sorted(folder.glob(names["data"])) if path != devices]
    if devices.is_file() and data:
        outcomes = judge(devices.name, "inventory", {devices: None}, {})
        yield from outcomes
        if not any(failed and rule["counts"] == "files" for rule, failed, _ in outcomes):
            yield from judge(names["data"], "telemetry", dict.fromkeys(data), {devices: None})


def judge(where: str, kind: str, files: Files, inventory: Files, period: str = "") -> list[Outcome]:
    """What the checks of one kind of file find in these."""
    plan, outcomes = AGREED["plans"][kind + next(iter(files)).suffix], []
    looks = [(path, 0, *look_at_columns(path, dict(plan["columns"]))) for path in files]
    for check in plan["file_checks"]:
        wrong = [look for look in looks if look[3] == check["id"]]
        outcomes.append(tell(where, check, len(wrong), len(files), wrong))
    if any(failed for _, failed, _ in outcomes):
        return outcomes
    data = " UNION ALL ".join(f"SELECT {plan['delivered']} {reader(path)}" for path in files)
    devices = " UNION ALL BY NAME ".join(reader(path) for path in inventory)
    for scan in plan["scans"]:
        try:
            with duckdb.connect() as engine:
                ask = engine.execute
                ask(AGREED["promised"], [[*map(str, files)], [*files.values()], period])
                for sql in scan["prepare"]:
                    ask(sql.replace("{delivered}", data).replace("{inventory}", devices))
                for rule, counted in zip(scan["checks"], *ask(scan["sql"]).fetchall(), strict=True):
                    failed, total, *number = counted or ask(rule["recount"]).fetchall()[0][0]
                    is_wrong = failed > total * rule["share_max"]
                    rows = ask(rule["samples"]).fetchall() if is_wrong else []
                    rows += [("observed", 0, observed) for observed in number]
                    outcomes.append(tell(where, rule["check"], failed * is_wrong, total, rows))
        except duckdb.Error as error:
            outcomes.append(tell(where, scan["blamed"], 1, len(files), [("", 0, error)]))
    return outcomes


def look_at_columns(path: Path, agreed: dict[str, str]) -> tuple[str, str]:
    """The columns of a file, and the check that they fail."""
    try:
        found = columns(path)
    except (duckdb.Error, csv.Error, OSError, ValueError) as error:
        return str(error), "file.readable"
    words = ", ".join(f"{name} {type_}" for name, type_ in found)
    if sorted(name for name, _ in found) != sorted(agreed):
        return words, "columns.agreed"
    return words, "" if dict(found) == agreed else "types.agreed"


def columns(path: Path) -> list[tuple[str, str]]:
    """Names and types; those of a CSV stand in its first line, and are all texts."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig") as file:
            return [(name, "VARCHAR") for name in next(csv.reader(file, strict=True), [])]
    found = duckdb.execute(f'DESCRIBE SELECT * EXCLUDE "at:file" {reader(path)}').fetchall()
    return [(name, AGREED["type_names"].get(type_, type_)) for name, type_, *_ in found]


def reader(path: Path) -> str:
    """SQL for the rows of a file."""
    names = dict(columns(path)) if path.suffix == ".csv" else {}
    quoted = glob.escape(str(path)).replace("'", "''")
    return str(AGREED["readers"][path.suffix]).format(path=quoted, columns=names)


def tell(where: str, check: Json, failed: int, total: int, rows: list[Any]) -> Outcome:
    """An outcome in words: where, how many, some of the rows, and what was agreed."""
    lines = [f"{where}: {failed:.0f} of {total:.0f} {check['counts']}"]
    lines += [f"  {file}{f':{row}' if row else ''}  {values}" for file, row, values, *_ in rows[:5]]
    lines += [f"  {key}: {check[key]}" for key in ("words", "expected", "at", "sql") if check[key]]
    return check, failed, "\n".join(lines)
