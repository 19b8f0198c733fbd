"""The data unit tests as tests of pytest: an option names a target, its checks become test items.

pytest imports this module in every project of an environment that powerstage is installed in: it
imports pytest alone, and does nothing unless it is asked.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from powerstage.contract import Contract
    from powerstage.sim import EmbeddedS3
    from powerstage.validate import Validated

# What stands before :: in the node id of every data unit test, as the file does in others.
ROOT: Final = "powerstage"
_LISTED: Final = pytest.StashKey[dict[str, Any]]()
_CHOSEN: Final = pytest.StashKey[list[str]]()
_numbers = itertools.count(1)


class DataWarning(UserWarning):
    """A check of severity ``warning`` found something; ``-W error`` makes it a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalS3:
    """An S3 server on this machine: its URL, and the name of an empty bucket."""

    url: str
    bucket: str


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and the same as settings of the project."""
    group = parser.getgroup("powerstage", "data unit tests of powerstage")
    group.addoption(
        "--powerstage-target",
        action="append",
        default=[],
        metavar="TARGET",
        help="test the data of a file, an export, a feed or a delivery (repeatable; local or S3)",
    )
    group.addoption(
        "--powerstage-contract", metavar="FILE", help="the contract that was agreed (an ODCS file)"
    )
    group.addoption(
        "--powerstage-inventory",
        metavar="FILE",
        help="for telemetry files: the inventory that they refer to",
    )
    group.addoption(
        "--powerstage-required", action="store_true", help="fail if no target is to be tested"
    )
    parser.addini(
        "powerstage_target",
        "targets for runs that name no paths, as testpaths; relative to rootdir",
        type="linelist",
        default=[],
    )
    parser.addini("powerstage_contract", "as --powerstage-contract; relative to rootdir")
    parser.addini("powerstage_inventory", "as --powerstage-inventory; relative to rootdir")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """List the checks of each target, once: the workers of xdist are handed what was listed."""
    config = session.config
    handed = getattr(config, "workerinput", {}).get(ROOT)
    if handed is not None:
        config.stash[_LISTED] = handed
        return
    targets = _targets(config)
    if not targets:
        if config.getoption("powerstage_required"):
            raise pytest.UsageError(
                "there are no data to test, and --powerstage-required is set\n"
                "  fix    --powerstage-target TARGET, or powerstage_target among the settings of"
                " pytest, which are for runs that name no paths"
            )
        if _chosen(config):
            raise pytest.UsageError(
                f"{_chosen(config)[0]} is a test of data, and no target is named\n"
                "  fix    --powerstage-target TARGET"
            )
        return
    from powerstage.pytest_plugin.listing import list_targets

    listed = list_targets(
        targets,
        contract=_path(config, "powerstage_contract"),
        inventory=_path(config, "powerstage_inventory"),
    )
    config.stash[_LISTED] = listed
    _require_tests(_chosen(config), listed)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - a class of xdist's
    """Hand a worker of xdist what was listed: a feed may grow meanwhile."""
    if _LISTED in node.config.stash:
        node.workerinput[ROOT] = node.config.stash[_LISTED]


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Keep our node ids from pytest, which would look for files of that name."""
    config = session.config
    if _LISTED in config.stash:
        config.stash[_CHOSEN] = _chosen(config)
        config.args = [argument for argument in config.args if not _is_ours(argument)]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the checks of all targets to the tests, before anybody selects among them."""
    listed = config.stash.get(_LISTED, None)
    if listed is None:
        return
    from powerstage.pytest_plugin.items import AllTargets

    root = AllTargets.from_parent(session, name=ROOT, listed=listed)
    chosen = config.stash[_CHOSEN]
    items += [
        item
        for item in session.genitems(root)
        if not chosen or any(_is_within(item.nodeid, name) for name in chosen)
    ]


@pytest.fixture(scope="session")
def powerstage_contract(pytestconfig: pytest.Config) -> "Contract":
    """The contract of ``--powerstage-contract``, or the default contract."""
    from powerstage.contract import default

    return _contract(pytestconfig) or default()


@pytest.fixture
def powerstage_validate(
    request: pytest.FixtureRequest, pytestconfig: pytest.Config
) -> "Callable[..., Validated]":
    """A function that runs the data unit tests on a target: ``powerstage_validate(target)``.

    What it returns says ``ok``. If that is false and the test fails, its report shows the rows.
    """
    from powerstage.errors import PowerstageError
    from powerstage.pytest_plugin.reports import now
    from powerstage.pytest_plugin.text import error_words, validated_words
    from powerstage.validate import validate

    def run(target: str | Path, *, inventory: Path | None = None) -> "Validated":
        try:
            validated = validate(
                str(target), clock=now, contract=_contract(pytestconfig), inventory=inventory
            )
        except PowerstageError as error:
            # pytest shows notes: the message alone does not say what to do.
            for line in error_words(error).splitlines()[1:]:
                error.add_note(line)
            raise
        if not validated.ok:
            request.node.add_report_section("call", ROOT, validated_words(validated))
        return validated

    return run


@pytest.fixture(scope="session")
def _powerstage_server() -> "Iterator[EmbeddedS3]":
    from powerstage.sim import EmbeddedS3

    with EmbeddedS3() as server:
        yield server


@pytest.fixture
def powerstage_s3(_powerstage_server: "EmbeddedS3", monkeypatch: pytest.MonkeyPatch) -> LocalS3:
    """An S3 server on this machine with an empty bucket; boto3 and the AWS CLI find no other."""
    from powerstage.sim.embedded import names_in_the_way

    for name in names_in_the_way():
        monkeypatch.delenv(name)
    for name, value in _powerstage_server.environment().items():
        monkeypatch.setenv(name, value)
    bucket = f"powerstage-{next(_numbers)}"
    _powerstage_server.create_bucket(bucket)
    return LocalS3(url=_powerstage_server.url, bucket=bucket)


def _targets(config: pytest.Config) -> dict[str, str]:
    """Where each target is, by its name: as it was written."""
    if named := config.getoption("powerstage_target"):
        return {target: _place(config, target, config.invocation_params.dir) for target in named}
    paths = [argument for argument in config.args if not _is_ours(argument)]
    if paths and config.args_source is pytest.Config.ArgsSource.ARGS:
        return {}
    named = config.getini("powerstage_target")
    return {target: _place(config, target, config.rootpath) for target in named}


def _path(config: pytest.Config, name: str) -> str | None:
    if named := config.getoption(name):
        return _place(config, named, config.invocation_params.dir)
    if named := config.getini(name):
        return _place(config, named, config.rootpath)
    return None


def _place(config: pytest.Config, target: str, folder: Path) -> str:
    """A path as it is from where pytest was started; reports quote it."""
    if not target or "://" in target or Path(target).is_absolute():
        return target
    return os.path.relpath(folder / target, config.invocation_params.dir)


def _contract(config: pytest.Config) -> "Contract | None":
    from powerstage.contract import load

    path = _path(config, "powerstage_contract")
    # A test may have gone to another folder.
    return None if path is None else load(config.invocation_params.dir / path)


def _chosen(config: pytest.Config) -> list[str]:
    """The node ids of ours that the command line names, as they are from rootdir."""
    return [
        f"{ROOT}::{argument.partition('::')[2]}" for argument in config.args if _is_ours(argument)
    ]


def _require_tests(chosen: list[str], listed: dict[str, Any]) -> None:
    targets = listed["targets"]
    ids = [
        "::".join(filter(None, (ROOT, target["name"], on, id_)))
        for target in targets
        for on, ids in target["groups"]
        for id_ in ids
    ]
    for name in chosen:
        is_known = any(_is_within(id_, name) for id_ in ids)
        # Of a target that could not be listed, nobody knows.
        if not is_known and not any(target["error"] for target in targets):
            raise pytest.UsageError(
                f"there is no test {name}\n  fix    pytest --collect-only -q lists them"
            )


def _is_ours(argument: str) -> bool:
    # In a folder below rootdir, pytest itself writes ../powerstage::...
    path, colons, _ = argument.partition("::")
    return bool(colons) and Path(path).name == ROOT


def _is_within(id_: str, name: str) -> bool:
    name = name.removesuffix("::")
    return id_ == name or id_.startswith(f"{name}::")
