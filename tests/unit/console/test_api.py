"""The read API: its token, its pages, its actions, and the OpenAPI document that describes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from responder.console.access import Access
from responder.model.action import ActionKind
from responder.settings.access import tokens
from responder.store.database import Database
from responder.store.incidents import actions
from tests.support.builders import NOW
from tests.unit.console.conftest import INCIDENT, fill, whole_content

READER, ACTOR = "0123456789abcdef", "fedcba9876543210"


def bearer(token: str) -> dict[str, str]:
    """The header of a token."""
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def api(build: Callable[..., Flask], filled: None) -> FlaskClient:
    """A console with one token that reads and one that acts."""
    del filled
    return build(access=Access(tokens=tokens(f"{READER} act:{ACTOR}"))).test_client()


def get(api: FlaskClient, path: str) -> Any:
    """The JSON of a path."""
    answer = api.get(f"/api/v1{path}", headers=bearer(READER))
    assert answer.status_code == 200, answer.text
    return answer.json


def test_the_document_describes_exactly_the_routes(api: FlaskClient) -> None:
    """Each route of the API is in the document, with its parameters, and nothing else is."""
    document = get(api, "/openapi.json")
    described = {(method, path) for path, operations in document["paths"].items() for method in operations}
    routes = {
        (method.lower(), rule.rule.removeprefix("/api/v1").replace("<", "{").replace(">", "}"))
        for rule in api.application.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert described == routes


def conforms(value: Any, schema: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """True if a value has the keys and types of a schema."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return any(conforms(value, each, schemas) for each in schema["anyOf"])
    kinds = {"string": str, "integer": int, "array": list, "object": dict, "boolean": bool, "null": type(None)}
    if not isinstance(value, kinds[schema["type"]]):
        return False
    if isinstance(value, list):
        return all(conforms(each, schema["items"], schemas) for each in value)
    if isinstance(value, dict) and "properties" in schema:
        return value.keys() == schema["properties"].keys() and all(
            conforms(each, schema["properties"][name], schemas) for name, each in value.items()
        )
    return True


@pytest.mark.parametrize("path", ["/incidents", f"/incidents/{INCIDENT}", "/messages", "/rules", "/coverage"])
def test_answers_conform_to_the_document(api: FlaskClient, path: str) -> None:
    """Each answer has the keys and types that the document states."""
    document = get(api, "/openapi.json")
    described = document["paths"][path.replace(INCIDENT, "{number}")]["get"]
    schema = described["responses"]["200"]["content"]["application/json"]["schema"]
    assert conforms(get(api, path), schema, document["components"]["schemas"])


def test_pages_follow_each_other(api: FlaskClient, database: Database) -> None:
    """``next`` of a page is ``after`` of the following one; it is empty at the end."""
    for number in range(5):
        fill(database, whole_content(), id=f"INC-9{number}", dedup_key=str(number), open=False, resolved_at=NOW)
    found, after = list[str](), ""
    while True:
        page = get(api, f"/incidents?limit=2&after={after}")
        found += [each["id"] for each in page["incidents"]]
        after = page["next"]
        if not after:
            break
    assert sorted(found) == [INCIDENT, *(f"INC-9{number}" for number in range(5))]
    first = get(api, "/messages?limit=2")
    assert len(first["messages"]) == 2
    assert get(api, f"/messages?limit=9&before={first['next']}")["next"] == ""


def test_an_unchanged_list_is_not_sent_again(api: FlaskClient) -> None:
    """A client that sends the tag back gets 304."""
    answer = api.get("/api/v1/incidents", headers=bearer(READER))
    again = bearer(READER) | {"If-None-Match": answer.headers["ETag"]}
    cookie = api.get("/api/v1/incidents", headers=again)
    assert cookie.status_code == 304


@pytest.mark.parametrize(
    ("token", "path", "body", "status", "said"),
    [
        ("wrong-wrong-wrong", "note", {"text": "x", "actor": "Ann"}, 401, "RESPONDER_API_TOKEN"),
        (READER, "note", {"text": "x", "actor": "Ann"}, 403, "needs the role act"),
        (ACTOR, "note", {"text": " ", "actor": "Ann"}, 400, "the note is empty"),
        (ACTOR, "note", {"text": "x"}, 400, "actor is missing"),
        (ACTOR, "note", {"text": 7}, 400, "not an action"),
        (ACTOR, "dance", {}, 404, "no such action"),
        (ACTOR, "silence", {"actor": "Ann", "duration": "soon"}, 400, "duration"),
        (ACTOR, "silence", {"actor": "Ann", "duration": "40d"}, 400, "at most 30 days"),
        (ACTOR, "snooze", {"actor": "Ann", "duration": "2h"}, 202, ""),
        (ACTOR, "acknowledge", {"actor": "Ann"}, 202, ""),
        (ACTOR, "expire-silence", {"actor": "Ann"}, 202, ""),
    ],
)
def test_an_action_needs_its_token_and_a_name(
    api: FlaskClient, database: Database, token: str, path: str, body: dict[str, Any], status: int, said: str
) -> None:
    """Refusals say why in JSON; an accepted action is stored with the name and the entry point."""
    answer = api.post(f"/api/v1/incidents/{INCIDENT}/{path}", json=body, headers=bearer(token))
    assert (answer.status_code, said in (answer.json or {}).get("error", "")) == (status, True), answer.text
    with database.read() as connection:
        rows = actions.of_incident(connection, INCIDENT)
    assert [(row.action.entry, row.action.actor) for row in rows] == ([("api", "Ann")] if status == 202 else [])


def test_a_silence_has_its_end_and_the_confirmed_number(api: FlaskClient, database: Database) -> None:
    """Both are stored for `serve`, which asks Alertmanager; a repeat with the same key is the same action."""
    body = {"actor": "Ann", "text": "deploying", "duration": "2h", "confirm": 3, "key": "once"}
    answers = [api.post(f"/api/v1/incidents/{INCIDENT}/silence", json=body, headers=bearer(ACTOR)) for _ in range(2)]
    assert {(answer.status_code, answer.get_json()["action"]) for answer in answers} == {(202, 1)}
    with database.read() as connection:
        [row] = actions.of_incident(connection, INCIDENT)
    silence = row.action
    assert (silence.kind, silence.target, silence.text) == (ActionKind.SILENCE, "3", "deploying")
    assert silence.until is not None
    assert (silence.until - silence.at).total_seconds() == pytest.approx(7200, abs=1)


def test_a_body_nested_too_deeply_is_refused(api: FlaskClient) -> None:
    """With 400 and a reason."""
    body = b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    answer = api.post(f"/api/v1/incidents/{INCIDENT}/note", data=body, headers=bearer(ACTOR))
    assert (answer.status_code, "not an action" in answer.get_json()["error"]) == (400, True)


def test_an_unknown_incident_and_a_wrong_filter_are_problems(api: FlaskClient) -> None:
    """Errors of the API are JSON with one sentence."""
    for path, status in (("/incidents/INC-404", 404), ("/incidents?since=soon", 400), ("/nothing", 404)):
        answer = api.get(f"/api/v1{path}", headers=bearer(READER))
        assert (answer.status_code, list(answer.json or {})) == (status, ["error"])
