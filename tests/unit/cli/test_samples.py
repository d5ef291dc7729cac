"""Inputs that dry-run accepts."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from responder.cli.samples import samples
from responder.receive.alertmanager import parse
from tests.support.builders import NOW
from tests.unit.receive.test_alertmanager import a_body

NO_INPUT = io.BytesIO()


def groups(path: Path, content: Any) -> list[tuple[str, list[str]]]:
    """Group key and alert names of each payload in a file."""
    path.write_text(json.dumps(content))
    parsed = [parse(sample.body) for sample in samples([str(path)], NO_INPUT, NOW)]
    return [(group.group_key, [alert.name for alert in group.alerts]) for group in parsed]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file."""
    return tmp_path / "sample.json"


def test_a_webhook_body_is_taken_byte_for_byte(path: Path) -> None:
    """A payload of Alertmanager is used as it is."""
    path.write_bytes(b' {"version": "4", "alerts": [] } ')
    (sample,) = samples([str(path)], NO_INPUT, NOW)
    assert sample.body == b' {"version": "4", "alerts": [] } '


def test_a_byte_order_mark_is_passed_over(path: Path) -> None:
    """A payload saved by an editor on Windows is read as the same payload."""
    path.write_bytes(b'\xef\xbb\xbf{"version": "4", "alerts": []}')
    (sample,) = samples([str(path)], NO_INPUT, NOW)
    assert sample.body == b'{"version": "4", "alerts": []}'


def test_a_single_alert_is_enough(path: Path) -> None:
    """Labels alone are enough for a dry run."""
    assert groups(path, {"labels": {"alertname": "A"}}) == [('{}:{alertname="A"}', ["A"])]


def test_bare_alerts_are_grouped_by_name(path: Path) -> None:
    """A list of alerts becomes the groups that group_by: [alertname] makes."""
    alerts = [{"labels": {"alertname": name, "n": str(n)}} for n, name in enumerate("ABA")]
    assert groups(path, alerts) == [('{}:{alertname="A"}', ["A", "A"]), ('{}:{alertname="B"}', ["B"])]


def test_alerts_of_alertmanagers_api_are_understood(path: Path) -> None:
    """The output of `GET /api/v2/alerts` can be piped in; its status is an object."""
    alert = {
        "labels": {"alertname": "A"},
        "annotations": {"summary": "s"},
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        "startsAt": "2026-11-23T09:33:50.647Z",
        "endsAt": "2026-11-23T09:38:50.647Z",
        "fingerprint": "4e6581a8c33405ff",
        "receivers": [{"name": "responder"}],
    }
    path.write_text(json.dumps([alert]))
    (sample,) = samples([str(path)], NO_INPUT, NOW)
    (parsed,) = parse(sample.body).alerts
    assert parsed.firing
    assert (parsed.fingerprint, parsed.annotations["summary"]) == ("4e6581a8c33405ff", "s")


def test_a_resolved_alert_stays_resolved(path: Path) -> None:
    """The end of an alert can be tried too."""
    path.write_text(json.dumps({"labels": {"alertname": "A"}, "status": "resolved"}))
    (sample,) = samples([str(path)], NO_INPUT, NOW)
    assert not parse(sample.body).alerts[0].firing


def test_a_list_of_bodies_is_several_samples(path: Path) -> None:
    """Recorded webhooks can be kept in one file."""
    path.write_text(json.dumps([a_body(), a_body()]))
    assert [sample.source for sample in samples([str(path)], NO_INPUT, NOW)] == [f"{path}[0]", f"{path}[1]"]


def test_a_folder_and_standard_input(tmp_path: Path) -> None:
    """A folder is read in the order of its names, and - is standard input."""
    for name in ("b.json", "a.json", "readme.md"):
        (tmp_path / name).write_text(json.dumps(a_body()))
    found = [sample.source for sample in samples([str(tmp_path), "-"], io.BytesIO(b"{}"), NOW)]
    assert found == [str(tmp_path / "a.json"), str(tmp_path / "b.json"), "-"]


@pytest.mark.parametrize("content", ["", "[", "nothing", "[" * 5000], ids=["empty", "cut", "word", "deep"])
def test_what_is_no_json_is_left_to_the_receiver_to_explain(path: Path, content: str) -> None:
    """A broken file is a sample like any other: it is reported, not a crash."""
    path.write_text(content)
    (sample,) = samples([str(path)], NO_INPUT, NOW)
    assert sample.body == content.encode()


def test_what_is_no_alert_is_named(path: Path) -> None:
    """A list with something else in it says where."""
    path.write_text(json.dumps([{"labels": {"alertname": "A"}}, 7]))
    (sample,) = samples([str(path)], NO_INPUT, NOW)
    assert sample.problem.startswith("$[1] is not an alert")


def test_annotations_that_are_no_map_are_left_out(path: Path) -> None:
    """A slip in a sample ends no rehearsal: as by the receiver, the alert is read without them."""
    path.write_text(json.dumps([{"labels": {"alertname": "A"}}, {"labels": {"alertname": "A"}, "annotations": ["x"]}]))
    (sample,) = samples([str(path)], NO_INPUT, NOW)
    assert parse(sample.body).alerts[1].annotations == {}


def test_a_missing_file_and_an_empty_folder_are_problems(tmp_path: Path) -> None:
    """A slip in a path is not silence."""
    found = list(samples([str(tmp_path / "none.json"), str(tmp_path)], NO_INPUT, NOW))
    assert [bool(sample.problem) for sample in found] == [True, True]


def test_an_empty_list_is_a_problem(path: Path) -> None:
    """A list from which everything was filtered out does not pass for one in which all is well."""
    path.write_text("[]")
    (sample,) = samples([str(path)], NO_INPUT, NOW)
    assert sample.problem == "empty list: no alert"


def test_a_file_of_a_folder_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """One bad file of a folder is named, and the others are shown all the same."""
    (tmp_path / "a.json").mkdir()
    (tmp_path / "b.json").write_text("{}")
    bad, good = samples([str(tmp_path)], NO_INPUT, NOW)
    assert (Path(bad.source).name, bad.problem) == ("a.json", "cannot be read: Is a directory")
    assert (Path(good.source).name, good.problem) == ("b.json", "")
