"""The stream of a flood: many groups alike within seconds, and one P1 in their midst that must not drown in them."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.faults.stream import SECONDS, Alert, Episode, Group
from tests.faults.world import RULES

#: ``flood_above`` of the severities that page.
LIMIT = 6
#: Seconds, as in the rules below: a digest waits three seconds for more incidents, and has its page in the same time.
BUDGETS = {"P1": 4.0, "P2": 6.0}
_FLOODED = ("plato", "capsule")
_UNTOUCHED = "nexus"


def rules(folder: Path) -> Path:
    """The rules of the fault suite with floods switched on, as a folder of their own."""
    text = (RULES / "all.yaml").read_text("utf-8")
    for old, new in (("page_budget: 4s", "page_budget: 6s"), ("page_budget: 2s", "page_budget: 4s")):
        text = text.replace(old, new)
    written = folder / "flood-rules"
    written.mkdir()
    (written / "all.yaml").write_text(text.replace("flood_above: 0", f"flood_above: {LIMIT}"), "utf-8")
    return written


def flood(seed: int) -> tuple[Group, ...]:
    """Two floods at once, of P1s and of P2s, a P1 unlike them, and a severity that does not page."""
    dice = Random(f"flood {seed}")
    alike = [("P1", number) for number in range(dice.randrange(24, 34))]
    alike += [("P2", number) for number in range(dice.randrange(12, 18))]
    storm = [_group(dice, f"{seed}-{severity}-{number}", severity, "Storm") for severity, number in alike]
    odd = _group(dice, f"{seed}-odd", "P1", "Odd", begins=dice.uniform(2.0, SECONDS), service=_UNTOUCHED, unlike=True)
    return (*storm, odd, _group(dice, f"{seed}-calm", "P3", "Calm"))


def _group(
    dice: Random,
    name: str,
    severity: str,
    alertname: str,
    begins: float | None = None,
    service: str | None = None,
    *,
    unlike: bool = False,
) -> Group:
    since = dice.uniform(0.0, SECONDS - 1) if begins is None else begins
    until = since + dice.uniform(2, 5) if dice.random() < 0.4 else None
    return Group(
        name=name,
        severity=severity,
        service=service or dice.choice(_FLOODED),
        alerts=(Alert(name=f"{name}-0", episodes=(Episode(since, until),)),),
        budget=BUDGETS.get(severity),
        alertname=alertname,
        unlike=unlike,
    )
