"""The names in a rule become questions, and none is lost on the way."""

from __future__ import annotations

import dataclasses

from responder.diagnose.plan import plan
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.http import HttpSpec
from responder.diagnose.probes.tcp import TcpSpec
from tests.support.builders import a_book
from tests.unit.diagnose.conftest import a_probe, a_scene

BOOK = a_book(
    probes={
        "dependencies": dataclasses.replace(a_probe("http", HttpSpec(of="dependencies")), name="dependencies"),
        "port": dataclasses.replace(a_probe("tcp", TcpSpec()), name="port"),
        "odd": dataclasses.replace(a_probe("smoke", object()), name="odd"),
    }
)


def test_every_name_becomes_its_questions_in_order() -> None:
    """Probes run in the order of the rule, each once; one name may give several probes."""
    questions = plan(("port", "dependencies", "port"), BOOK, PROBES, a_scene())
    assert [(question.probe, question.target) for question in questions] == [
        ("port", "plato"),
        ("dependencies", "capsule"),
        ("dependencies", "odyssey"),
    ]


def test_a_name_that_means_nothing_is_skipped_with_its_reason() -> None:
    """A rule that names an undefined probe still pages, and the page says so."""
    questions = plan(("nothing", "odd"), BOOK, PROBES, a_scene())
    assert [question.skip for question in questions] == [
        "the rules define no probe nothing",
        "unknown probe kind smoke",
    ]
