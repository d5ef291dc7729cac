"""Reuse of recent results, and the circuit breaker for unresponsive targets."""

from __future__ import annotations

from dataclasses import replace

from responder.diagnose.contract import ProbeQuestion
from responder.diagnose.prober import FRESH, PAUSE, TIMES, AnswerCache, CircuitBreaker
from responder.model.finding import Verdict
from tests.support.builders import a_finding

ASK = ProbeQuestion(probe="health", kind="http", target="plato", query="GET http://plato", timeout=3.0)


def blown() -> CircuitBreaker:
    """A breaker of a place that has just not answered often enough."""
    breaker = CircuitBreaker()
    for _ in range(TIMES):
        assert breaker.permit("plato", 0.0)[1] == 0.0
        breaker.note("plato", answered=False, now=0.0)
    return breaker


def test_after_several_silences_a_place_is_left_alone_for_a_while() -> None:
    """An open circuit reports the number of timeouts and the remaining pause."""
    breaker = blown()
    assert breaker.permit("plato", 1.0) == (TIMES, PAUSE - 1.0)
    assert breaker.permit("odyssey", 1.0) == (0, 0.0)


def test_one_question_tries_it_again() -> None:
    """After the pause a single probe is sent; the others wait for its result."""
    breaker = blown()
    assert breaker.permit("plato", PAUSE)[1] == 0.0
    assert breaker.permit("plato", PAUSE)[1] == PAUSE
    breaker.note("plato", answered=False, now=PAUSE + 3)
    assert breaker.permit("plato", PAUSE + 4) == (TIMES + 1, PAUSE - 1)
    breaker.note("plato", answered=True, now=2 * PAUSE)
    assert breaker.permit("plato", 2 * PAUSE) == (0, 0.0)


def test_silences_must_come_in_a_row() -> None:
    """An answer in between, whatever it says, begins the count anew."""
    breaker = CircuitBreaker()
    for _ in range(TIMES - 1):
        breaker.note("plato", answered=False, now=0.0)
    breaker.note("plato", answered=True, now=0.0)
    breaker.note("plato", answered=False, now=0.0)
    assert breaker.permit("plato", 0.0)[1] == 0.0


def test_a_fresh_answer_is_given_again() -> None:
    """A result is reused for some seconds, in the same words; after that the probe runs again."""
    memory = AnswerCache()
    memory.keep(ASK, (a_finding(Verdict.BAD),), 100.0)
    again = memory.cached(replace(ASK, probe="other"), 104.0)
    assert again is not None
    assert again[0].probe == "other"
    assert again[0].headline == "plato: 503 DOWN in 41 ms, db DOWN"
    assert memory.cached(ASK, 100.0 + FRESH + 0.1) is None
    assert memory.cached(replace(ASK, wire="another threshold"), 104.0) is None


def test_what_nobody_could_see_is_not_remembered() -> None:
    """The next one looks for itself."""
    memory = AnswerCache()
    memory.keep(ASK, (a_finding(Verdict.UNKNOWN),), 0.0)
    assert memory.cached(ASK, 1.0) is None
