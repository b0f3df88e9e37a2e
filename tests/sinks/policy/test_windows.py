"""Counting in event time, against a model that keeps every strike for ever."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from sinks.policy.windows import MOST, Windows

_WITHIN, _LATENESS = 10.0, 30.0


@dataclass(frozen=True)
class _Strike:
    subject: str
    id: str
    at: float
    known: float
    source: str


class _Naive:
    """Everything that was counted, in one list."""

    def __init__(self) -> None:
        self._all: list[_Strike] = []

    def count(self, strike: _Strike, *, distinct: bool) -> int:
        if strike.at <= strike.known - _LATENESS:
            return 0
        if any((old.subject, old.id) == (strike.subject, strike.id) for old in self._all):
            return 0
        self._all.append(strike)
        own = [old for old in self._all if old.subject == strike.subject]
        counts = []
        for last in own:
            held = [old for old in own if last.at - _WITHIN < old.at <= last.at]
            if strike in held:
                counts.append(len({old.source if distinct else old.id for old in held}))
        return max(counts)


@st.composite
def _logs(draw: st.DrawFn) -> list[_Strike]:
    """Strikes as they stand in a log: out of order, late, and some of them again."""
    made: list[_Strike] = []
    now = 1000.0
    for number in range(draw(st.integers(1, 40))):
        now += draw(st.integers(0, 6))
        if made and draw(st.integers(0, 4)) == 0:
            old = draw(st.sampled_from(made))
            made.append(_Strike(old.subject, old.id, old.at, now, old.source))
        else:
            at = now - draw(st.integers(0, 35))
            subject, source = draw(st.sampled_from("ab")), draw(st.sampled_from("xyz"))
            made.append(_Strike(subject, str(number), at, now, source))
    return made


def _counted(windows: Windows, strike: _Strike, *, distinct: bool = False) -> int:
    return windows.count(
        "rule",
        strike.subject,
        strike.id,
        at=strike.at,
        known=strike.known,
        within=_WITHIN,
        distinct=strike.source if distinct else None,
    )


@given(_logs(), st.booleans())
def test_counts_what_a_model_counts_that_forgets_nothing(log: list[_Strike], distinct: bool) -> None:
    windows, naive = Windows(100, _LATENESS), _Naive()
    for strike in log:
        assert _counted(windows, strike, distinct=distinct) == naive.count(strike, distinct=distinct)


@given(_logs(), st.data())
def test_a_reader_that_begins_later_comes_to_the_same_numbers(
    log: list[_Strike], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(log) - 1))
    since = log[place].known - _WITHIN - _LATENESS
    windows, rebuilt = Windows(100, _LATENESS), Windows(100, _LATENESS)
    for strike in log[:place]:
        _counted(windows, strike)
        if strike.known > since:
            _counted(rebuilt, strike)
    for strike in log[place:]:
        assert _counted(rebuilt, strike) == _counted(windows, strike)


def test_a_clock_that_is_ahead_hides_no_later_strike() -> None:
    windows = Windows(10, _LATENESS)
    assert _counted(windows, _Strike("a", "1", 999_999.0, 1000.0, "x")) == 1
    assert _counted(windows, _Strike("a", "2", 1001.0, 1001.0, "x")) == 2


def test_rules_do_not_share_windows() -> None:
    windows = Windows(10)
    for rule in "ab":
        assert windows.count(rule, "s", "1", at=5.0, known=5.0, within=9.0) == 1


def test_memory_is_bounded_by_subjects_and_a_subject_by_strikes() -> None:
    windows = Windows(3, _LATENESS)
    for number, subject in enumerate("abcad"):
        _counted(windows, _Strike(subject, str(number), 1000.0, 1000.0, "x"))
    assert (len(windows), windows.evicted) == (3, 1)
    assert _counted(windows, _Strike("a", "9", 1001.0, 1001.0, "x")) == 3, "the one not seen longest goes"
    many = Windows(1, _LATENESS)
    counts = [
        _counted(many, _Strike("a", str(number), 1000.0 + number / 1000, 1001.0, "x"))
        for number in range(2 * MOST)
    ]
    assert max(counts) == MOST
