"""A contract file in, the contract as facts out: strict, with file and line in every complaint."""

import hashlib
from importlib import resources
from pathlib import Path
from typing import Final

from powerstage.contract.model import Contract
from powerstage.contract.profile import read_contract
from powerstage.contract.yaml_tree import Reader
from powerstage.errors import ContractError, UsageError

DEFAULT_NAME: Final = "default.odcs.yaml"


def default() -> Contract:
    """The default contract: the upstream sample's format, hourly."""
    return loads(default_text(), DEFAULT_NAME)


def default_text() -> str:
    """The default contract's file."""
    return resources.files("powerstage.contract").joinpath(DEFAULT_NAME).read_text("utf-8")


def load(path: Path | str) -> Contract:
    """The contract in a file; ``ContractError`` lists all that is wrong with it."""
    return loads(read_text(Path(path)), str(path))


def loads(text: str, path: str) -> Contract:
    """The contract in a text; ``path`` is what complaints call it."""
    contract, problems = _read(text, path)
    if contract is None:
        raise ContractError(f"{path} is not a contract that can be worked with", problems=problems)
    return contract


def lint(text: str, path: str) -> tuple[str, ...]:
    """Every complaint about a contract text, as ``file:line: words``; none if it is sound."""
    return _read(text, path)[1]


def read_text(path: Path) -> str:
    """A file's text; ``UsageError`` where there is none to read, or it is not UTF-8."""
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot read {path}",
            cause=error.strerror or str(error),
            fix="check the path and its permissions",
        ) from error
    except UnicodeDecodeError as error:
        raise ContractError(f"{path} is not UTF-8", problems=(f"{path}:1: {error}",)) from error


def _read(text: str, path: str) -> tuple[Contract | None, tuple[str, ...]]:
    reader = Reader(path)
    tree = reader.parse(text)
    if tree is None:
        return None, reader.problems
    sha256 = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    contract = read_contract(reader, tree, text=text, sha256=sha256)
    return (None if reader.problems else contract), reader.problems
