"""Rules: read and checked, here or in a process of their own, and the desk that decides with them."""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from responder.bootstrap.machine import SystemClock
from responder.model.patience import Patience
from responder.model.rule import RuleBook
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.engine.desk import Desk
    from responder.engine.reload import Loaded
    from responder.notify.contract import Channel
    from responder.rulebook.apart import Reading
    from responder.rulebook.draft import Surroundings
    from responder.rulebook.examine import Examined
    from responder.rulebook.watch import Looks


def load_rules(folder: str, runbooks: str) -> RuleBook:
    """The checked rule book of a folder. Raises BadRules with every problem at once."""
    from responder.rulebook.load import load
    from responder.rulebook.reader import no_collection

    around = surroundings(runbooks)
    with no_collection():
        return load(
            Path(folder),
            probe_kinds=around.probe_kinds,
            runbooks=around.runbooks,
            channels=around.channels,
            parse=around.parse,
        )


def examine_rules(folder: str, runbooks: str) -> Examined:
    """All that can be said about the rule files of a folder today."""
    from responder.rulebook.examine import examine

    return examine(Path(folder), surroundings(runbooks), SystemClock().now().date())


def surroundings(runbooks: str) -> Surroundings:
    """What rule files may refer to: the probes and channels we have, the runbooks of a folder."""
    from responder.diagnose.probes import PROBES
    from responder.notify.channels import CHANNELS
    from responder.notify.route import RESERVES
    from responder.rulebook.draft import Surroundings
    from responder.runbooks.catalogue import read as read_catalogue
    from responder.triage.matchers import parse, predicate

    return Surroundings(
        probe_kinds=PROBES,
        runbooks=read_catalogue(Path(runbooks)),
        channels=set(CHANNELS) - {"slack_webhook", "log"} - RESERVES,
        parse=parse,
        predicate=predicate,
    )


def desk(settings: Settings, book: RuleBook, told: dict[str, Channel]) -> Desk:
    """What decisions are made with."""
    from responder.diagnose.probes import PROBES
    from responder.engine.desk import Desk
    from responder.notify.links import LinkMaker
    from responder.triage.matching import Matching

    return Desk(
        book=book,
        matching=Matching(book.rules),
        probe_kinds=PROBES,
        channels=told,
        links=LinkMaker(
            runbook_base_url=settings.runbook_base_url,
            public_url=settings.public_url,
            urls=book.urls,
            alertmanager_urls=settings.alertmanager_url,
            prometheus_url=settings.prometheus_url,
        ),
        prometheus_url=settings.prometheus_url,
        patience=Patience(timedelta(seconds=settings.group_interval)),
    )


@dataclass(frozen=True, slots=True)
class Begun:
    """Rules that are being read, and how their files looked before: a change in between is read again."""

    looks: Looks
    reading: Reading


def begin_reading(settings: Settings) -> Begun:
    """Begin to read the rules of the settings' folder, in a process of its own."""
    from responder.rulebook.apart import Reading

    home = Path(__file__).parents[2]
    path = os.pathsep.join(filter(None, (str(home), os.environ.get("PYTHONPATH"))))
    statement = "import sys; from responder import bootstrap; bootstrap.tell_rules(*sys.argv[1:])"
    looks = rule_files(settings)
    reading = Reading(statement, settings.rules, settings.runbooks, env={**os.environ, "PYTHONPATH": path})
    return Begun(looks, reading)


def tell_rules(folder: str, runbooks: str) -> None:
    """What that process does: it writes the rule book to its standard output, or all that is wrong."""
    from responder.rulebook.apart import tell

    gc.disable()
    tell(lambda: load_rules(folder, runbooks), sys.stdout.buffer)


def loaded(settings: Settings, told: dict[str, Channel], begun: Begun) -> Loaded:
    """The rules, ready to decide with. Raises BadRules with every problem at once, and NotRead."""
    from responder.engine.reload import Loaded

    return Loaded(desk(settings, begun.reading.book(), told), begun.looks)


def rule_files(settings: Settings) -> Looks:
    """How the files that rules are made of look now."""
    from responder.rulebook.watch import look

    return look([settings.rules, settings.runbooks])
