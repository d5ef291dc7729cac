"""Opening times of paging windows by the local clock, including its changes twice a year."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.model.window import TimeRange, Window
from responder.triage.paging_windows import is_open, opening, opens

BERLIN = ZoneInfo("Europe/Berlin")


def a_window(*spans: tuple[int, int], days: str = "01234", holidays: tuple[date, ...] = ()) -> Window:
    """Office hours in Berlin unless said otherwise; spans are whole hours."""
    return Window(
        name="office",
        zone=BERLIN,
        days=frozenset(map(int, days)),
        spans=tuple(TimeRange(time(start), time(end)) for start, end in spans or ((9, 17),)),
        holidays=frozenset(holidays),
    )


def at(text: str) -> datetime:
    """A moment by Berlin's clock, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-02T08:59", False),  # a Monday
        ("2026-03-02T09:00", True),
        ("2026-03-02T16:59:59", True),
        ("2026-03-02T17:00", False),
        ("2026-03-01T12:00", False),  # a Sunday
        ("2026-07-06T09:00", True),  # the same hours in summer
        ("2026-12-25T12:00", False),  # a Friday, and a holiday
    ],
)
def test_office_hours_are_those_of_the_clock_on_the_wall(moment: str, *, expected: bool) -> None:
    """Windows are open from nine to five local time, in winter and in summer, and not on holidays."""
    assert is_open(a_window(holidays=(date(2026, 12, 25),)), at(moment)) is expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-03-06T23:00", True),  # Friday night
        ("2026-03-07T05:59", True),  # and the morning after
        ("2026-03-07T06:00", False),
        ("2026-03-07T23:00", False),  # Saturday is none of its days
        ("2026-03-09T05:00", False),  # nor does Sunday night begin on one
    ],
)
def test_a_night_belongs_to_the_day_it_begins_on(moment: str, *, expected: bool) -> None:
    """22:00-06:00 on Fridays lasts until Saturday morning."""
    assert is_open(a_window((22, 6)), at(moment)) is expected


def test_it_says_when_it_opens_next() -> None:
    """A message held by a window says when on-call will be paged."""
    friday = at("2026-12-24T18:00")
    window = a_window(holidays=(date(2026, 12, 25),))
    assert opens(window, friday) == at("2026-12-28T09:00")
    assert opening(window, friday) == "opens Mon 2026-12-28 09:00 (Europe/Berlin)"


def test_a_window_that_never_opens_says_so() -> None:
    """The search for the next open day ends."""
    assert opens(a_window(days=""), at("2026-03-02T09:00")) is None
    assert "does not open" in opening(a_window(days=""), at("2026-03-02T09:00"))


def test_an_hour_that_the_clock_leaves_out_does_not_open() -> None:
    """On the night of 29 March there is no half past two: the window of that hour opens a week later."""
    window = a_window((2, 3), days="6")
    assert opens(window, at("2026-03-28T12:00")) == at("2026-04-05T02:00")


HOURS = st.lists(st.tuples(st.integers(0, 23), st.integers(0, 23)).filter(lambda it: it[0] != it[1]), min_size=1)


@given(
    HOURS,
    st.sets(st.sampled_from("0123456"), min_size=1),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_nothing_opens_before_it_is_said_to(hours: list[tuple[int, int]], days: set[str], now: datetime) -> None:
    """From a closed window until the moment it names it stays closed, and then it is open."""
    window = a_window(*hours, days="".join(days))
    opened = opens(window, now)
    assert opened is not None
    assert is_open(window, opened)
    if not is_open(window, now):
        steps = int((opened - now) / timedelta(minutes=30))
        assert not any(is_open(window, now + number * timedelta(minutes=30)) for number in range(steps))
