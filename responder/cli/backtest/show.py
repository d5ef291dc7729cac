"""Output of a backtest, as text and JSON."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from responder.model.text import number_of, one_line
from responder.rulebook.backtest.outcome import DifferenceKind, RuleOutcome
from responder.rulebook.backtest.tally import DecisionChange, SampledChanges, Totals

_HEADS: Mapping[DifferenceKind, str] = {
    DifferenceKind.NEW_PAGE: "new pages",
    DifferenceKind.LOST_PAGE: "lost pages",
    DifferenceKind.WORSE: "worse",
    DifferenceKind.MILDER: "milder",
    DifferenceKind.RUNBOOK_GAINED: "runbook added",
    DifferenceKind.RUNBOOK_LOST: "runbook lost",
    DifferenceKind.RUNBOOK_CHANGED: "runbook changed",
    DifferenceKind.CHANNELS: "channels",
    DifferenceKind.RULE: "rule",
}
_GRAVITY = {kind: number for number, kind in enumerate(DifferenceKind)}
_COLOURS: Mapping[DifferenceKind, str] = {DifferenceKind.NEW_PAGE: "yellow", DifferenceKind.LOST_PAGE: "red"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestReport:
    """Finished backtest: source of the history, the two sets of rules with their revisions, and the counts."""

    history: str
    before: str
    after: str
    revisions: tuple[str, str]
    tally: Totals


def lines(found: BacktestReport) -> Iterator[str]:
    """Yield the totals, the counts per rule and per day, then the examples."""
    tally = found.tally
    span = f", {tally.first:%Y-%m-%d} to {tally.last:%Y-%m-%d}" if tally.first and tally.last else ""
    yield f"{number_of(tally.notifications, 'notification')} from {found.history}{span}"
    yield f"  before  {found.before}, revision {found.revisions[0][:12]}"
    yield f"  after   {found.after}, revision {found.revisions[1][:12]}"
    if tally.unread:
        yield click.style(f"{tally.unread:,} could not be read:", fg="red")
        yield from (f"  {one_line(problem)}" for problem in tally.problems)
    if not tally.notifications:
        yield "nothing to compare"
        return
    if tally.cut_off:
        yield click.style(_cut_off(tally), fg="yellow")
    yield ""
    yield from _sums(tally)
    if not tally.totals:
        yield "no differences"
        return
    yield ""
    kinds = [kind for kind in DifferenceKind if tally.totals[kind]]
    rules = sorted(tally.rules.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    yield from _table("rule", [(rule, counts) for rule, counts in rules], kinds)
    yield ""
    changed = [(f"{day}", each.counts) for day, each in sorted(tally.days.items()) if each.counts]
    yield from _table("day (UTC)", changed, kinds)
    for (differences, rule), pile in sorted(tally.piles.items(), key=_order):
        yield ""
        yield from _pile(differences, rule, pile)


def _cut_off(tally: Totals) -> str:
    return (
        f"{number_of(tally.cut_off, 'notification')} truncated by Alertmanager's max_alerts: "
        f"{number_of(tally.missing, 'alert')} missing from this comparison"
    )


def _sums(tally: Totals) -> Iterator[str]:
    count = tally.totals
    pages = f"{tally.before:,} before, {tally.after:,} after"
    books = f"{count[DifferenceKind.RUNBOOK_GAINED]:,} added, {count[DifferenceKind.RUNBOOK_LOST]:,} lost"
    yield _row("pages", f"{pages}: {count[DifferenceKind.NEW_PAGE]:,} new, {count[DifferenceKind.LOST_PAGE]:,} lost")
    yield _row("severity", f"{count[DifferenceKind.WORSE]:,} worse, {count[DifferenceKind.MILDER]:,} milder")
    yield _row("runbook", f"{books}, {count[DifferenceKind.RUNBOOK_CHANGED]:,} changed")
    yield _row("channels", f"{count[DifferenceKind.CHANNELS]:,} changed")
    yield _row("rule", f"{count[DifferenceKind.RULE]:,} changed")


def _row(name: str, text: str) -> str:
    return f"{click.style(f'{name:<9}', fg='cyan')} {text}"


def _table(
    title: str, rows: Sequence[tuple[str, Counter[DifferenceKind]]], kinds: Sequence[DifferenceKind]
) -> Iterator[str]:
    width = max(len(title), *(len(name) for name, _ in rows))
    yield click.style(f"{title:<{width}}" + "".join(f"  {_HEADS[kind]:>6}" for kind in kinds), bold=True)
    for name, counts in rows:
        cells = (f"  {counts[kind] or '.':>{max(6, len(_HEADS[kind]))}}" for kind in kinds)
        yield f"{name:<{width}}" + "".join(cells)


def _order(item: tuple[tuple[tuple[DifferenceKind, ...], str], SampledChanges]) -> tuple[list[int], str]:
    """Sort key: more serious differences first."""
    (kinds, rule), _ = item
    return [_GRAVITY[kind] for kind in kinds], rule


def _pile(kinds: tuple[DifferenceKind, ...], rule: str, pile: SampledChanges) -> Iterator[str]:
    title = f"{', '.join(kinds)}: {rule}, {pile.total:,}"
    yield click.style(title, fg=_COLOURS.get(kinds[0]), bold=True)
    yield from (f"  {_case(case)}" for case in pile.kept)
    if pile.total > len(pile.kept):
        yield f"  and {pile.total - len(pile.kept):,} more (--cases)"


def _case(case: DecisionChange) -> str:
    before, after = _outcome(case.before), _outcome(case.after)
    return f"{case.at:%Y-%m-%d %H:%M:%S UTC}  {one_line(case.source)}  {case.what}\n    {before}\n    -> {after}"


def _outcome(found: RuleOutcome) -> str:
    sends = f"sends to {', '.join(found.notified)}" if found.notified else "sends nothing"
    severity = found.severity or "recorded only"
    return f"{severity} by {found.rule or 'no rule'}, {found.runbook or 'no runbook'}: {sends}"


def as_json(found: BacktestReport) -> dict[str, Any]:
    """Return the JSON output. Scripts rely on its keys: add, never rename."""
    tally = found.tally
    return {
        "history": found.history,
        "before": {"name": found.before, "revision": found.revisions[0]},
        "after": {"name": found.after, "revision": found.revisions[1]},
        "summary": {
            "notifications": tally.notifications,
            "unread": tally.unread,
            "cut_off": tally.cut_off,
            "missing_alerts": tally.missing,
            "first": tally.first.isoformat() if tally.first else None,
            "last": tally.last.isoformat() if tally.last else None,
            "pages_before": tally.before,
            "pages_after": tally.after,
            **_counts(tally.totals),
        },
        "rules": {rule: _counts(counts) for rule, counts in sorted(tally.rules.items())},
        "days": {
            f"{day}": {"pages_before": each.before, "pages_after": each.after, **_counts(each.counts)}
            for day, each in sorted(tally.days.items())
        },
        "cases": [
            {
                "kinds": list(map(_key, kinds)),
                "rule": rule,
                "total": pile.total,
                "notifications": list(map(_as_dict, pile.kept)),
            }
            for (kinds, rule), pile in sorted(tally.piles.items(), key=_order)
        ],
        "problems": list(tally.problems),
    }


def _counts(counts: Counter[DifferenceKind]) -> dict[str, int]:
    return {_key(kind): counts[kind] for kind in DifferenceKind}


def _key(kind: DifferenceKind) -> str:
    return kind.value.replace(" ", "_")


def _as_dict(case: DecisionChange) -> dict[str, Any]:
    return {
        "at": case.at.isoformat(),
        "source": case.source,
        "alert": case.what,
        "before": _outcome_as_dict(case.before),
        "after": _outcome_as_dict(case.after),
    }


def _outcome_as_dict(found: RuleOutcome) -> dict[str, Any]:
    return {
        "rule": found.rule or None,
        "severity": found.severity or None,
        "runbook": found.runbook or None,
        "notified": list(found.notified),
        "pages": found.pages,
        "reason": found.reason,
    }
