"""Every error that powerstage raises on purpose, split by what the caller should do.

PowerstageError
    UsageError                 the call is wrong: correct it                      exit 2
        ContractError          the contract file is wrong: mend the lines named   exit 2
    RecordError                a commit, receipt or key is malformed: a verdict   exit 1
    ConflictError              the slot is taken by other content: revise it      exit 1
    EnvironmentFailedError     something around us failed: mend it, run again     exit 3
        StoreRefusedError      credentials, bucket or permission are missing
        StoreUnavailableError  the store did not answer, or its answer was lost
        WorkerError            the worker was killed from outside: no verdict
    ObjectNotFoundError        no object has this key                             exit 3
    NothingToJudgeError        there is nothing under the target                  exit 4

Bad data is never one of these: it is a result.
"""

from typing import ClassVar


class PowerstageError(Exception):
    """What happened, why, and what to do about it.

    Args:
        message: what happened, in one sentence.
        cause: why it happened, where that is known.
        fix: what to do about it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, cause: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.fix = fix


class UsageError(PowerstageError):
    """The call is wrong: correct it."""

    exit_code = 2


class ContractError(UsageError):
    """The contract file is wrong.

    Args:
        problems: one ``file:line: what is wrong`` each, in the order of the file.
    """

    def __init__(self, message: str, *, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, cause="\n".join(problems), fix="mend the lines named")
        self.problems = problems


class RecordError(PowerstageError):
    """A commit, a receipt or an object key is not of the agreed form."""


class ConflictError(PowerstageError):
    """A write-once slot holds other content than ours."""


class EnvironmentFailedError(PowerstageError):
    """Something around the program failed: mend it and run again."""

    exit_code = 3


class StoreRefusedError(EnvironmentFailedError):
    """The store said no: credentials, bucket or permission."""


class StoreUnavailableError(EnvironmentFailedError):
    """The store did not answer, or its answer was lost: whether it acted is unknown."""


class WorkerError(EnvironmentFailedError):
    """The worker that reads delivered files could not do its work."""


class ObjectNotFoundError(PowerstageError):
    """No object has this key."""

    exit_code = 3


class NothingToJudgeError(PowerstageError):
    """There is nothing under the target."""

    exit_code = 4


def no_delivery(feed: str) -> NothingToJudgeError:
    """What is said of a feed in which nobody has committed anything."""
    return NothingToJudgeError(
        f"there is no delivery in {feed}",
        fix="check the URL; a feed has an object under commits/ for each delivery",
    )
