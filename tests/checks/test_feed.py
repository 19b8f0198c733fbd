"""Missing and late periods and a feed that has stopped: from times of arrival and a clock alone."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import pytest

from powerstage.checks import FeedFinding, find_timeliness, first_arrivals
from powerstage.contract import Contract, Slot
from tests.conftest import START

HOUR = timedelta(hours=1)
# The default contract: an hour is delivered at a time, at most six hours after its end.
DUE = 7 * HOUR
Find = Callable[..., tuple[FeedFinding, ...]]


def at(hour: int) -> datetime:
    """The start of a period."""
    return START + hour * HOUR


@pytest.fixture
def find(contract: Contract) -> Find:
    """Findings about periods that arrived so long after their starts."""

    def found(arrivals: Mapping[int, timedelta], now: datetime) -> tuple[FeedFinding, ...]:
        moments = {at(hour): at(hour) + later for hour, later in arrivals.items()}
        return find_timeliness(contract, moments, now)

    return found


def ids(findings: tuple[FeedFinding, ...]) -> list[str]:
    """Their ids."""
    return [finding.check.id for finding in findings]


def test_a_feed_in_time_shows_nothing(find: Find) -> None:
    """Each period arrives just when it is due, and the next is not due yet."""
    assert find(dict.fromkeys(range(5), DUE), at(4) + 2 * DUE) == ()


def test_a_feed_without_a_delivery_shows_nothing(find: Find) -> None:
    """There is no period to be late."""
    assert find({}, at(100)) == ()


def test_a_missing_period_is_found(find: Find) -> None:
    """From its start to the end of its run, with how many there are."""
    (finding,) = find({0: DUE, 3: DUE}, at(4))
    assert (finding.check.id, finding.check.severity) == ("period.missing", "error")
    assert (finding.start, finding.end, finding.numbers) == (at(1), at(3), (("periods", 2.0),))


def test_a_late_run_is_one_finding(find: Find) -> None:
    """Two periods in a row, and the worst of them in hours after it was due."""
    late = {1: DUE + 2 * HOUR, 2: DUE + HOUR}
    (finding,) = find({0: HOUR, **late, 3: HOUR}, at(10))
    assert finding.check.id == "period.late"
    assert (finding.start, finding.end) == (at(1), at(3))
    assert finding.numbers == (("periods", 2.0), ("hours_late_max", 2.0))


def test_late_runs_apart_are_two_findings(find: Find) -> None:
    """A period in time stands between them."""
    late = DUE + HOUR
    assert ids(find({0: HOUR, 1: late, 2: HOUR, 3: late}, at(11))) == ["period.late"] * 2


def test_history_handed_in_at_the_start_is_not_late(find: Find) -> None:
    """A period that was due before anything had arrived could not be in time."""
    begin = 100 * HOUR
    assert find({hour: begin - hour * HOUR for hour in range(90)}, at(101)) == ()


def test_a_time_before_the_end_of_a_period_is_none(find: Find) -> None:
    """A store without a clock, or a rehearsal of days to come: nothing is late or has stopped."""
    assert find(dict.fromkeys(range(5), HOUR / 2), at(1000)) == ()


def test_a_feed_that_has_stopped_is_found(find: Find) -> None:
    """Nothing new for longer than the interval and the latency."""
    last = at(4) + HOUR
    (finding,) = find(dict.fromkeys(range(5), HOUR), last + DUE + HOUR)
    assert (finding.check.id, finding.start) == ("feed.fresh", last)
    assert finding.numbers == (("hours_silent", 8.0),)


def test_a_feed_that_has_just_paused_is_fresh(find: Find) -> None:
    """To the moment, interval and latency are allowed."""
    assert find(dict.fromkeys(range(5), HOUR), at(4) + HOUR + DUE) == ()


def test_the_first_revision_says_when_a_period_arrived() -> None:
    """A correction comes later and makes nothing late; an inventory is no period of readings."""
    written = [
        (Slot(dataset="telemetry", period=at(1), revision=1), at(50)),
        (Slot(dataset="telemetry", period=at(1)), at(3)),
        (Slot(dataset="inventory", period=at(0)), at(1)),
    ]
    assert first_arrivals(written) == {at(1): at(3)}
    assert first_arrivals(reversed(written)) == {at(1): at(3)}
