"""Rules are swapped whole, and only for rules that are right."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from responder import bootstrap
from responder.engine.effects.context import DecisionContext
from responder.engine.workers.rule_reloader import LoadedRules, RuleReloader
from responder.model.rule_text import RuleText
from responder.rulebook.load import checked, gather_text
from responder.settings import read
from responder.store.database import StoreError
from tests.conftest import HandClock

ROOT = Path(__file__).parents[4]


class Shop:
    """A folder of rules that are edited, and the rules in force."""

    def __init__(self, folder: Path, clock: HandClock) -> None:
        self.folder = folder
        self.settings = read({"RESPONDER_RULES": str(folder), "RESPONDER_RUNBOOKS": str(ROOT / "runbooks")})
        self.reads = 0
        self.kept: RuleText | None = None
        self.away = False
        self._clock = clock
        self.rules = self.forked(self.loaded())
        self.reads = 0

    def forked(self, first: LoadedRules) -> RuleReloader:
        """The rules of a worker that is forked now from a process that read the first ones."""
        return RuleReloader(first, self.loaded, self.states, self._clock, keep=self.keep, last_valid=self.last_valid)

    def keep(self, text: RuleText) -> None:
        """Store a revision, unless the database is away."""
        if self.away:
            raise StoreError("away")
        self.kept = text

    def last_valid(self) -> DecisionContext | None:
        """The stored revision."""
        if self.away:
            raise StoreError("away")
        if self.kept is None:
            return None
        book = checked(gather_text("rules", self.kept.files), bootstrap.rule_references(self.kept.runbooks))
        return bootstrap.context(self.settings, book, {})

    def states(self) -> tuple[tuple[str, int, int, int], ...]:
        """State of the folder."""
        return bootstrap.rule_files(self.settings)

    def loaded(self) -> LoadedRules:
        """Read it."""
        self.reads += 1
        return bootstrap.loaded(self.settings, bootstrap.channels(self.settings))

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


def test_a_worker_forked_after_a_change_reads_the_files_first(shop: Shop) -> None:
    """Nothing is decided by the rules from the start of the process once the files have changed."""
    first = shop.loaded()
    assert shop.forked(first).ready
    shop.edit("id: unknown", "id: nobody-knows")
    late = shop.forked(first)
    assert not late.ready
    late.step()
    assert (late.ready, late.context().book.rules[-1].id) == (True, "nobody-knows")


def test_a_worker_forked_while_the_files_are_invalid_uses_the_last_valid_revision(shop: Shop) -> None:
    """A reload, a mistake and a dead worker do not bring back the rules from the start of the process."""
    first = shop.loaded()
    shop.edit("id: unknown", "id: nobody-knows")
    shop.steps()
    shop.edit("id: nobody-knows", "identity: nobody-knows")
    late = shop.forked(first)
    late.step()
    assert (late.ready, late.context().book.rules[-1].id) == (True, "nobody-knows")
    assert (late.state.kept, late.state.refused > 0, late.state.revision) == (True, True, late.context().book.revision)
    assert "kept in the database" in late.state.note
    after_it = shop.forked(first)
    after_it.step()
    assert after_it.context().book.rules[-1].id == "nobody-knows", "the first of them kept the rules of the start"
    shop.edit("identity: nobody-knows", "id: somebody-knows")
    late.step()
    late.step()
    assert (late.state.kept, late.state.note, late.context().book.rules[-1].id) == (False, "", "somebody-knows")


def test_without_a_database_a_worker_waits_before_it_takes_earlier_rules(shop: Shop) -> None:
    """While the last valid revision cannot be read, nothing is decided, and invalid files are read once."""
    first = shop.loaded()
    shop.steps(1)
    shop.edit("id: unknown", "identity: unknown")
    late, shop.away, shop.reads = shop.forked(first), True, 0
    for _ in range(3):
        with pytest.raises(StoreError):
            late.step()
    assert (late.ready, shop.reads) == (False, 1)
    shop.away = False
    late.step()
    assert (late.ready, late.state.kept) == (True, True)


def test_valid_rules_are_kept_once_the_database_can_be_written(shop: Shop) -> None:
    """The revision in force is stored at the start and after each reload; a database that is away delays it."""
    shop.away = True
    with pytest.raises(StoreError):
        shop.rules.step()
    shop.away = False
    shop.rules.step()
    assert shop.kept is not None
    assert shop.kept.revision == shop.rules.context().book.revision
    shop.edit("id: unknown", "id: nobody-knows")
    shop.steps()
    assert shop.kept.revision == shop.rules.context().book.revision


def test_refused_reloads_back_off(shop: Shop, clock: HandClock) -> None:
    """Files that change all the time and are always invalid are read once a minute; SIGHUP reads them at once."""
    shop.edit("id: unknown", "identity: unknown 0")
    for number in range(300):  # ten minutes of a file that is rewritten at every second look
        shop.edit(f"identity: unknown {number // 2}", f"identity: unknown {(number + 1) // 2}")
        clock.move(2)
        shop.steps(1)
    assert shop.reads < 20
    before = shop.reads
    shop.rules.request_reload()
    shop.steps(1)
    assert shop.reads == before + 1
    shop.edit("identity: unknown 150", "id: unknown")
    clock.move(60)
    shop.steps(2)
    assert shop.rules.state.refused == 0
