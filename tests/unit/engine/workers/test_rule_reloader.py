"""Rules are swapped whole, and only for rules that are right."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from responder import bootstrap
from responder.engine.effects.context import DecisionContext
from responder.engine.workers.rule_reloader import LoadedRules, RuleReloader
from responder.rulebook.file_state import file_states
from responder.settings import read
from tests.conftest import HandClock

ROOT = Path(__file__).parents[4]


class Shop:
    """A folder of rules that are edited, and the rules in force."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        self.folder = folder
        self.settings = read({"RESPONDER_RULES": str(folder), "RESPONDER_RUNBOOKS": str(ROOT / "runbooks")})
        self.reads = 0
        self.rules = RuleReloader(LoadedRules(self.context(), self.states()), self.context, self.states, clock)
        self.reads = 0

    def states(self) -> tuple[tuple[str, int, int, int], ...]:
        """State of the folder."""
        return file_states([self.folder])

    def context(self) -> DecisionContext:
        """Read it."""
        self.reads += 1
        book = bootstrap.load_rules(self.settings.rules, self.settings.runbooks)
        return bootstrap.context(self.settings, book, bootstrap.channels(self.settings))

    def edit(self, old: str, new: str) -> None:
        """Change the last file."""
        path = self.folder / "99-unknown.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def steps(self, count: int = 2) -> None:
        """Let some looks pass."""
        for _ in range(count):
            self.rules.step()


@pytest.fixture(name="shop")
def a_shop(tmp_path: Path, clock: HandClock) -> Shop:
    """The shipped rules, to be edited."""
    folder = tmp_path / "rules"
    shutil.copytree(ROOT / "rules", folder)
    return Shop(folder, clock)


def test_a_change_is_in_force_once_it_has_settled(shop: Shop) -> None:
    """New rules decide soon after they were saved, and a file that is still being written is not read."""
    before = shop.rules.context()
    shop.edit("id: unknown", "id: nobody-knows")
    shop.steps(1)
    assert shop.rules.context() is before
    shop.steps(1)
    assert shop.rules.context().book.rules[-1].id == "nobody-knows"
    assert shop.rules.state.revision == shop.rules.context().book.revision != before.book.revision


def test_files_that_stay_as_they_are_are_not_read(shop: Shop) -> None:
    """Checking costs next to nothing while nothing changes."""
    shop.steps(5)
    assert shop.reads == 0


def test_bad_rules_leave_the_running_ones_in_force(shop: Shop) -> None:
    """A mistake in a rule file does not stop pages; it is counted until it is fixed."""
    before = shop.rules.context()
    shop.edit("id: unknown", "identity: unknown")
    shop.steps()
    assert shop.rules.context() is before
    assert shop.rules.state.refused > 0
    shop.steps(5)
    assert shop.reads == 1
    shop.edit("identity: unknown", "id: unknown")
    shop.steps()
    assert shop.rules.state.refused == 0
    assert shop.rules.context() is not before


def test_a_folder_that_disappears_leaves_the_running_rules_in_force(shop: Shop) -> None:
    """A volume that is gone for a moment takes no rules away."""
    before = shop.rules.context()
    shutil.rmtree(shop.folder)
    shop.steps()
    assert shop.rules.context() is before
    assert shop.rules.state.refused == 1


def test_who_asks_is_served_at_once(shop: Shop, clock: HandClock) -> None:
    """SIGHUP reads the files without waiting, changed or not."""
    shop.rules.request_reload()
    clock.move(60)
    shop.steps(1)
    assert shop.reads == 1
    assert shop.rules.state == replace(shop.rules.state, since=clock.now(), refused=0)
