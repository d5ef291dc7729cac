"""The door: what is answered to whom, and what is kept."""

from __future__ import annotations

import base64
import gzip
import io
import socket
import zlib
from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from responder.model.secret import Secret
from responder.receive.alertmanager import parse
from responder.store.database import Database
from responder.store.inbox.inbox import ClientGoneError, Inbox
from responder.web import health, not_found, webhook
from responder.web.app import create_app, guard
from responder.web.metrics import StoreCollector
from tests.conftest import Counted, HandClock
from tests.unit.receive.test_alertmanager import a_body, an_alert, to_bytes

LIMIT = 20_000
BODY = to_bytes(a_body())
JSON = {"Content-Type": "application/json", "Authorization": "Bearer new"}


@pytest.fixture
def inbox(database: Database) -> Inbox:
    """The inbox that stores payloads."""
    return Inbox(database)


@pytest.fixture
def kept() -> list[int]:
    """One entry for each trigger of the engine."""
    return []


@pytest.fixture
def client(database: Database, inbox: Inbox, clock: HandClock, kept: list[int]) -> FlaskClient:
    """An application with two tokens and one login."""
    config = webhook.WebhookConfig(
        inbox=inbox,
        guard=guard(Secret("old new"), Secret("am:pässword")),
        clock=clock,
        max_body_bytes=LIMIT,
        on_kept=lambda: kept.append(1),
    )
    given = health.HealthConfig(
        guard=config.guard, database=database, clock=clock, metrics=StoreCollector(database=database, clock=clock)
    )
    parts = (webhook.blueprint(config), health.blueprint(given), not_found.blueprint(clock, takes_webhooks=True))
    return create_app(*parts).test_client()


Post = Callable[..., tuple[int, str]]


@pytest.fixture
def post(client: FlaskClient) -> Post:
    """Post a payload; returns status and text."""

    def send(body: bytes = BODY, path: str = "", **headers: str) -> tuple[int, str]:
        answer = client.post(f"/webhook/alertmanager{path}", data=body, headers=JSON | headers)
        return answer.status_code, answer.text

    return send


def test_a_body_is_kept_before_it_is_acknowledged(post: Post, inbox: Inbox, kept: list[int]) -> None:
    """202 means durable, and carries the notification's id."""
    status, text = post(path="/prod-eu")
    assert (status, text) == (202, '{"id": 1}\n')
    notification = inbox.find(1)
    assert notification is not None
    assert (notification.body, notification.cluster, kept) == (BODY, "prod-eu", [1])


@pytest.mark.parametrize(("path", "cluster"), [("/", ""), ("/prod-eu/", "prod-eu")])
def test_a_slash_at_the_end_of_the_address_loses_no_alert(post: Post, inbox: Inbox, path: str, cluster: str) -> None:
    """Alertmanager gets 404 for a wrong address in each `group_interval`, so a slip in it must not be one."""
    assert post(path=path) == (202, '{"id": 1}\n')
    notification = inbox.find(1)
    assert notification is not None
    assert notification.cluster == cluster


@pytest.mark.parametrize("path", ["//webhook/alertmanager", "/webhook//alertmanager", "/webhook/alertmanager//"])
def test_no_answer_redirects_to_the_host_that_a_request_names(client: FlaskClient, inbox: Inbox, path: str) -> None:
    """Doubled slashes are taken as one: a redirect would lead to whatever the Host header says."""
    headers = JSON | {"Authorization": "Bearer new", "Host": "evil.example"}
    answer = client.post("/", data=BODY, headers=headers, environ_overrides={"PATH_INFO": path})
    assert (answer.status_code, answer.headers.get("Location")) == (202, None)
    assert inbox.find(1) is not None


@pytest.mark.parametrize(
    "header",
    ["Bearer old", "bearer  new", "Basic " + base64.b64encode("am:pässword".encode()).decode()],
)
def test_each_valid_credential_opens(post: Post, header: str) -> None:
    """Two tokens are valid at once, so that they can be rotated without losing an alert."""
    assert post(Authorization=header)[0] == 202


@pytest.mark.parametrize("header", ["", "Bearer any", "Basic YTpi", "Basic !"])
def test_a_door_that_asks_for_nothing_takes_what_is_shown_all_the_same(header: str) -> None:
    """`serve --insecure` can be tried out with the Alertmanager that is there, credentials and all."""
    assert guard(Secret(""), Secret("")).admits(header)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Bearer newer", "Basic !", "Basic YTpi", "new"])
def test_anything_else_stays_outside(post: Post, inbox: Inbox, header: str) -> None:
    """A client without credentials can neither page nor fill the disk."""
    status, text = post(Authorization=header)
    assert status == 401
    assert "RESPONDER_WEBHOOK_TOKEN or a login of RESPONDER_WEBHOOK_BASIC_AUTH" in text
    assert (inbox.newest(1), inbox.rejected(1)) == ((), ())


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b'{"version": "4"}', {}, 400, "$.groupKey"),
        (b"x" * (LIMIT + 1), {}, 413, "RESPONDER_MAX_BODY_BYTES"),
        (BODY, {"Content-Type": "text/plain"}, 415, "application/json"),
    ],
    ids=["not version 4", "too large", "not json"],
)
def test_a_refused_body_is_set_aside(
    post: Post, inbox: Inbox, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    """Refused payloads are counted, and can be read and replayed."""
    answer = post(body, **headers)
    assert answer[0] == status
    assert reason in answer[1]
    assert answer[1].count("\n") == 1
    (reject,) = inbox.rejected(10)
    assert (reject.status, reject.size, reject.body) == (status, len(body), body)


def _deflated(body: bytes, bits: int) -> bytes:
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY)),
        ("X-GZIP", gzip.compress(BODY[:100]) + gzip.compress(BODY[100:])),
        ("deflate", zlib.compress(BODY)),
        ("deflate", _deflated(BODY, -15)),
        ("identity", BODY),
    ],
    ids=["gzip", "two members", "zlib", "raw deflate", "identity"],
)
def test_a_compressed_body_is_kept_as_its_text(post: Post, inbox: Inbox, encoding: str, body: bytes) -> None:
    """A proxy between Alertmanager and responder may compress."""
    assert post(body, **{"Content-Encoding": encoding}) == (202, '{"id": 1}\n')
    notification = inbox.find(1)
    assert notification is not None
    assert notification.body == BODY


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("br", BODY, 415),
        ("gzip", BODY, 400),
        ("gzip", gzip.compress(BODY)[:-20], 400),
        ("gzip", gzip.compress(b" " * 200_000_000), 413),
    ],
    ids=["brotli", "not compressed", "ends early", "a bomb"],
)
def test_what_cannot_be_uncompressed_is_refused(
    post: Post, inbox: Inbox, encoding: str, body: bytes, status: int
) -> None:
    """A compressed body is read with bounded memory, and its problems are named."""
    assert post(body, **{"Content-Encoding": encoding})[0] == status
    assert [each.status for each in inbox.rejected(10)] == [status]


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "text/json", "application/vnd.grafana+json"])
def test_every_name_of_json_is_taken(post: Post, kind: str) -> None:
    """A sender or proxy that names JSON differently loses no alert."""
    assert post(**{"Content-Type": kind})[0] == 202


def test_a_body_above_the_limit_is_kept_in_part(client: FlaskClient, post: Post, inbox: Inbox) -> None:
    """The largest outage has the largest payload: it is acknowledged and decided, and the request gets more time."""
    allowed: list[float] = []
    body = to_bytes(a_body(alerts=[an_alert(fingerprint=f"{number:016x}") for number in range(300)]))
    answer = client.post(
        "/webhook/alertmanager",
        data=body,
        headers=JSON,
        environ_overrides={"responder.allow_seconds": allowed.append},
    )
    assert (answer.status_code, allowed) == (202, [webhook.LARGE_SECONDS])
    assert post(gzip.compress(body), **{"Content-Encoding": "gzip"})[0] == 202
    for number in (1, 2):
        notification = inbox.find(number)
        assert notification is not None
        group = parse(notification.body)
        assert len(notification.body) <= LIMIT
        assert len(group.alerts) + group.truncated == 300


def test_a_body_beyond_all_limits_is_refused(post: Post, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload larger than 256 MiB is refused."""
    monkeypatch.setattr(webhook, "LARGE_BYTES", 50_000)
    status, text = post(to_bytes(a_body(alerts=[an_alert()] * 300)))
    assert status == 413
    assert "more than 50000 bytes" in text
    assert [each.status for each in inbox.rejected(10)] == [413]


def test_a_request_that_is_cut_off_is_no_refused_body(client: FlaskClient, inbox: Inbox, counted: Counted) -> None:
    """The sender repeats it by itself: nothing is stored, and no alert about refused payloads fires."""
    answer = client.post(
        "/webhook/alertmanager",
        input_stream=io.BytesIO(BODY[:-20]),
        headers=JSON,
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": str(len(BODY))},
    )
    assert answer.status_code == 400
    assert inbox.rejected(10) == ()
    assert counted('responder_aborted_webhooks_total{reason="cut_off"}') == 1


@pytest.mark.parametrize("name", ["a" * 101, "%2E%2E", "a%20b%0A", "prod%0A", "-x", "%C3%BC"])
def test_an_address_that_names_no_cluster_is_refused_and_its_body_kept(post: Post, inbox: Inbox, name: str) -> None:
    """An invalid cluster name is on no page and in no key; its payload can be read and replayed."""
    status, text = post(path=f"/{name}")
    assert (status, text.count("\n")) == (400, 1)
    assert "the address names no cluster" in text
    (reject,) = inbox.rejected(10)
    assert (reject.status, reject.body) == (400, BODY)


@pytest.mark.parametrize("name", ["prod-eu", "Prod_1.eu", "_x", "9", "a" * 100])
def test_whatever_a_cluster_may_be_called_is_taken(post: Post, name: str) -> None:
    """Every name that a heartbeat in the rules can have is one that an address can have."""
    assert post(path=f"/{name}")[0] == 202


@pytest.mark.parametrize(
    ("method", "path", "status", "why"),
    [
        ("POST", "/webhook/alertmanger", 404, "unknown path"),
        ("POST", "/webhook/alertmanager/prod/eu", 404, "unknown path"),
        ("POST", "/healthz", 405, "method not allowed"),
        ("GET", "/webhook/alertmanager", 405, "method not allowed"),
    ],
)
def test_a_wrong_address_is_told_the_right_one(
    client: FlaskClient, method: str, path: str, status: int, why: str
) -> None:
    """A wrong path is answered with one line, shown in Alertmanager's log, that names the right one."""
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.mimetype) == (status, "text/plain")
    assert answer.text == f"{why}: use POST /webhook/alertmanager\n"
    assert ("Allow" in answer.headers) == (status == 405)


def test_a_wrong_address_in_alertmanager_is_in_our_log(client: FlaskClient, clock: HandClock) -> None:
    """Webhooks on a wrong path are logged: once a minute per path, and cut to a line."""
    with capture_logs() as log:
        for _ in range(3):
            client.post("/alerts", data=BODY)
        client.post("/a%0Ab" + "c" * 3000)
        client.get("/favicon.ico")
        clock.move(60)
        client.post("/alerts", data=BODY)
    told = [(each["log_level"], each["path"][:7], each["remote"]) for each in log]
    assert told == [("warning", path, "127.0.0.1") for path in ("/alerts", "/a bccc", "/alerts")]
    assert max(len(each["path"]) for each in log) <= 100


def test_whoever_asks_for_many_paths_fills_neither_log_nor_memory(client: FlaskClient) -> None:
    """A network scanner causes a hundred log lines a minute at most."""
    with capture_logs() as log:
        for number in range(300):
            client.post(f"/scan/{number}")
    assert len(log) == 100


def test_requests_without_credentials_are_counted_in_one_line_a_minute(post: Post, clock: HandClock) -> None:
    """A sender with a wrong token does not fill the log; the next line says how many requests there were."""
    with capture_logs() as log:
        for _ in range(5):
            post(Authorization="Bearer wrong")
        clock.move(61)
        post(Authorization="Bearer wrong")
    lines = [each for each in log if each["event"] == "webhook.unauthorized"]
    assert [each["requests"] for each in lines] == [1, 5]


def test_a_full_store_is_a_503_that_alertmanager_retries(post: Post, database: Database) -> None:
    """A payload that cannot be stored is not acknowledged; the response has the reason in one line."""
    database.close()
    assert post() == (503, "not stored, retry: shutting down\n")
    assert post(b"{}")[0] == 503


def test_health_does_not_depend_on_the_outside(client: FlaskClient, database: Database) -> None:
    """Liveness fails for responder's own faults only."""
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 200
    database.close()
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").text == "shutting down\n"


def _limit_pages(database: Database, more: int) -> None:
    """Limit the database to this many more pages, like a full disk."""
    with database._backend.writers.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + more}")
        connection.rollback()


def test_a_full_disk_is_not_ready_and_alive(client: FlaskClient, database: Database) -> None:
    """If no webhook can be stored, the pod is not ready but stays alive: a restart frees no space."""
    _limit_pages(database, 0)
    refused = client.get("/readyz")
    assert (refused.status_code, refused.text.count("\n")) == (503, 1)
    assert "full" in refused.text
    assert client.get("/healthz").status_code == 200
    _limit_pages(database, 1000)
    assert client.get("/readyz").status_code == 200


def test_whoever_asks_all_the_time_does_not_wear_out_the_disk(
    client: FlaskClient, database: Database, clock: HandClock
) -> None:
    """A thousand questions a second cost one write, and a disk that fills up is noticed within a second."""
    versions = []
    with database._backend.writers.connect() as watcher:
        for seconds in (0.0, 0.0, 0.5, 0.5):
            clock.move(seconds)
            assert client.get("/readyz").status_code == 200
            versions.append(watcher.exec_driver_sql("PRAGMA data_version").scalar_one())
            watcher.rollback()
    assert [versions.index(version) for version in versions] == [0, 0, 0, 3]


def test_rejected_bodies_show_in_the_metrics(client: FlaskClient, post: Post, counted: Counted) -> None:
    """Metrics count refused payloads and undecided notifications."""
    post(b"{}")
    post()
    text = client.get("/metrics").text
    assert counted('responder_rejected_payloads_total{status="400"}') == 1
    assert counted('responder_http_requests_total{route="webhook.receive",status="202"}') == 1
    assert "responder_notifications_waiting 1.0" in text


def test_a_worker_whose_engine_is_dead_acknowledges_nothing(inbox: Inbox, clock: HandClock) -> None:
    """A notification that no engine would decide is answered with 503, so that Alertmanager retries."""
    config = webhook.WebhookConfig(
        inbox=inbox,
        guard=guard(Secret(""), Secret("")),
        clock=clock,
        max_body_bytes=LIMIT,
        on_kept=lambda: None,
        alive=lambda: False,
    )
    answer = create_app(webhook.blueprint(config)).test_client().post("/webhook/alertmanager", data=BODY, headers=JSON)
    assert answer.status_code == 503
    assert "not stored, retry" in answer.text
    assert inbox.newest(1) == ()


def test_requests_from_outside_are_recorded_once_a_minute(inbox: Inbox, clock: HandClock) -> None:
    """Operators learn of a wrong token or path; senders without credentials cannot fill the disk."""
    outside = not_found.OutsideRecorder(inbox, clock, not_found.LogThrottle(clock))
    config = webhook.WebhookConfig(
        inbox=inbox,
        guard=guard(Secret("new"), Secret("")),
        clock=clock,
        max_body_bytes=LIMIT,
        on_kept=lambda: None,
        outside=outside,
    )
    parts = webhook.blueprint(config), not_found.blueprint(clock, takes_webhooks=True, outside=outside)
    client = create_app(*parts).test_client()
    for _ in range(5):
        client.post("/webhook/alertmanager", data=BODY, headers=JSON | {"Authorization": "Bearer old"})
        client.post("/webhook/alertmanger", data=BODY, headers=JSON)
        client.post("/wp-login.php", data="user=x")
    assert sorted((each.status, each.body) for each in inbox.rejected(10)) == [(401, b""), (404, b"")]


@pytest.mark.parametrize("closes", ["close", "half"])
def test_a_notification_whose_client_gave_up_is_discarded(
    client: FlaskClient, inbox: Inbox, kept: list[int], counted: Counted, closes: str
) -> None:
    """Alertmanager repeats what still fires, and never sends the resolve of what it believes undelivered."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"not read yet")
        given = {"headers": JSON, "data": BODY, "environ_overrides": {"gunicorn.socket": ours}}
        assert client.post("/webhook/alertmanager", **given).status_code == 202
        theirs.shutdown(socket.SHUT_WR) if closes == "half" else theirs.close()
        answer = client.post("/webhook/alertmanager", **given)
    assert (answer.status_code, kept, len(inbox.newest(10))) == (503, [1], 1)
    assert counted('responder_aborted_webhooks_total{reason="hung_up"}') == 1
    assert client.post("/webhook/alertmanager", **given).status_code == 503  # its descriptor is closed


def test_a_client_that_gave_up_takes_no_other_notification_with_it(inbox: Inbox, clock: HandClock) -> None:
    """Only its own notification is discarded from a commit."""
    with pytest.raises(ClientGoneError):
        inbox.keep(BODY, "", clock.now(), lambda: True)
    assert inbox.keep(BODY, "", clock.now()) == 1
