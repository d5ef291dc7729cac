"""A bearer token reaches the server it is for, and no other."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from responder.bootstrap import SystemClock
from responder.cli import main
from responder.diagnose.contract import ProbeTools
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.promql import PromqlSpec
from responder.engine.jobs.alertmanager_client import AlertmanagerClient
from responder.model.clock import Deadline
from responder.model.finding import Verdict
from responder.model.message import Request
from responder.model.secret import Credentials, Secret
from responder.outgoing import Outgoing, UnreachableError
from responder.outgoing.client import credentials_for
from responder.standins.server import Call, Fault, Reply, StandIn, as_json, status
from responder.triage.reconcile import AlertmanagerView
from tests.unit.diagnose.conftest import a_probe, a_scene
from tests.unit.diagnose.test_tls import Authority

ROOT = Path(__file__).parents[3]
TOKEN = "t0k3n-of-the-monitoring"


def demanding(token: str) -> Callable[[Call], Fault]:
    """The manner of a server with a bearer token: requests without it get 401, which names the token received."""

    def manner(call: Call) -> Fault:
        brought = call.headers.get("authorization", "nothing")
        return Fault() if brought == f"Bearer {token}" else status(401, f"not {brought}\n".encode())

    return manner


class Monitoring(StandIn):
    """A Prometheus and an Alertmanager in one, about as much of each as is asked here."""

    def answer(self, call: Call) -> Reply:
        """Responses of both servers."""
        path = call.path.partition("?")[0]
        if path == "/api/v1/query":
            result = [{"metric": {}, "value": [0, "1"]}]
            return as_json(200, {"status": "success", "data": {"resultType": "vector", "result": result}})
        if path == "/api/v1/query_range":
            return as_json(200, {"status": "success", "data": {"resultType": "matrix", "result": []}})
        group = {"labels": {}, "receiver": {"name": "r"}, "alerts": [{"labels": {"alertname": "ServiceDown"}}]}
        said = {
            "/api/v1/rules": {"status": "success", "data": {"groups": []}},
            "/api/v1/status/buildinfo": {"status": "success", "data": {"version": "3.0.0"}},
            "/api/v2/status": {
                "uptime": "2026-01-01T00:00:00.000Z",
                "cluster": {"status": "disabled"},
                "versionInfo": {"version": "0.28.0"},
                "config": {"original": "route: {receiver: r}\nreceivers: [{name: r}]\n"},
            },
            "/api/v2/alerts": [],
            "/api/v2/alerts/groups": [group],
        }
        return as_json(200, said[path]) if path in said else Reply(404)


class SecureMonitoring(Monitoring):
    """The same over TLS."""

    def secured(self, context: ssl.SSLContext) -> str:
        """Return the address, after which only TLS is spoken there."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        return self.url.replace("http:", "https:")


@pytest.fixture
def server() -> Iterator[Monitoring]:
    """A server that requires the token."""
    with Monitoring() as found:
        found.manner = demanding(TOKEN)
        yield found


@pytest.fixture
def outgoing(server: Monitoring) -> Iterator[Outgoing]:
    """A way out that knows the token of the server."""
    found = Outgoing(SystemClock(), credentials={server.url: Credentials(token=Secret(TOKEN))})
    yield found
    found.close()


def soon() -> Deadline:
    """Long enough for loopback."""
    return Deadline(SystemClock().monotonic() + 5)


BASES = {
    url: Credentials(token=Secret(token))
    for url, token in {"https://gate/prometheus/": "p", "https://gate/alerts": "a", "http://p:9090": "x"}.items()
}


@pytest.mark.parametrize(
    ("url", "token"),
    [
        ("https://gate/prometheus/api/v1/query?query=up", "p"),
        ("https://gate/prometheus", "p"),
        ("https://GATE:443/prometheus/api", "p"),
        ("https://gate/alerts/api/v2/alerts", "a"),
        ("http://p:9090/api/v1/query", "x"),
        ("https://gate/prometheus-of-others/api", None),
        ("https://gate/", None),
        ("http://gate/prometheus/api", None),
        ("https://gate:8443/prometheus/api", None),
        ("https://gate.example.com/prometheus/api", None),
        ("https://evil/?https://gate/prometheus/", None),
        ("https://gate@evil/prometheus/api", None),
        ("https://me:mine@gate/prometheus/api", None),
        ("ftp://gate/prometheus", None),
        ("https://gate:port/prometheus", None),
        ("", None),
    ],
)
def test_a_token_is_for_one_address(url: str, token: str | None) -> None:
    """Another scheme, host, port or path gets nothing, however alike it looks."""
    found = credentials_for(url, BASES)
    assert (found.token.reveal() if found else None) == token


def test_only_questions_to_the_monitoring_carry_it(server: Monitoring, outgoing: Outgoing) -> None:
    """Requests to an address from an alert or a rule file carry no token, even to the same server."""
    request, deadline = (
        Request(f"{server.url}/api/v1/query", b"", method="GET"),
        soon(),
    )
    assert outgoing.query(request, deadline).status == 200
    assert outgoing.send(request, deadline).status == 401
    assert [call.headers.get("authorization") for call in server.calls] == [f"Bearer {TOKEN}", None]


def test_a_redirect_leads_the_token_nowhere(server: Monitoring, outgoing: Outgoing) -> None:
    """A server that sends questions elsewhere cannot send the token there."""
    with Monitoring() as elsewhere:
        server.faults.append(status(302, Location=f"{elsewhere.url}/api/v1/query"))
        request = Request(f"{server.url}/api/v1/query", b"", method="GET")
        assert outgoing.query(request, soon()).status == 302
        assert elsewhere.calls == []


def test_an_answer_does_not_repeat_it(server: Monitoring, outgoing: Outgoing) -> None:
    """A proxy's error page that shows the request puts no token into findings, logs or messages."""
    server.faults.append(status(403, f"you sent: Authorization: Bearer {TOKEN}".encode()))
    request = Request(f"{server.url}/api/v1/query", b"", method="GET")
    answer = outgoing.query(request, soon())
    assert answer.body == b"you sent: Authorization: Bearer ***"


def test_a_login_reaches_the_server_it_is_for(server: Monitoring) -> None:
    """Basic authentication goes the way of a token, and no answer repeats the password."""
    ours = Outgoing(SystemClock(), credentials={server.url: Credentials(basic_auth=Secret("me:my-password"))})
    request = Request(f"{server.url}/api/v1/query", b"", method="GET")
    server.manner = lambda _call: status(403, b"Basic bWU6bXktcGFzc3dvcmQ= is me:my-password")
    assert ours.query(request, soon()).body == b"Basic *** is me:***"
    ours.send(request, soon())
    ours.close()
    assert [call.headers.get("authorization") for call in server.calls] == ["Basic bWU6bXktcGFzc3dvcmQ=", None]


def test_a_client_certificate_is_shown_to_its_server_only(tmp_path: Path) -> None:
    """Only queries of that server show the certificate, and a renewed one is used without a restart."""
    authority = Authority(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.root))
    context.load_cert_chain(authority.certificate((-1, 80), "127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    mine = tmp_path / "client.pem"
    mine.write_bytes(authority.certificate((-1, 80), "127.0.0.2").read_bytes())
    with SecureMonitoring() as server:
        url = server.secured(context)
        given = {url: Credentials(certificate=str(mine), key=str(mine))}
        ours = Outgoing(SystemClock(), ca_file=str(authority.root), credentials=given)
        request = Request(f"{url}/api/v2/alerts", b"", method="GET")
        assert ours.query(request, soon()).status == 200
        with pytest.raises(UnreachableError):
            ours.send(request, soon())
        mine.write_text("half written")
        with pytest.raises(UnreachableError, match="client certificate cannot be used"):
            ours.query(request, soon())
        mine.unlink()
        with pytest.raises(UnreachableError, match="client certificate cannot be read"):
            ours.query(request, soon())
        mine.write_bytes(authority.certificate((-1, 80), "127.0.0.3").read_bytes())
        assert ours.query(request, soon()).status == 200
        ours.close()


def test_probes_bring_it(server: Monitoring, outgoing: Outgoing) -> None:
    """A PromQL probe of a Prometheus behind a token looks, and one with another token says that it could not."""
    spec = PromqlSpec(expr="up", headline="up")
    [ask] = PROBES["promql"].questions(a_probe("promql", spec), a_scene(server.url.removeprefix("http://")))
    clock = SystemClock()
    (finding,) = PROBES["promql"].findings(ask, soon(), ProbeTools(outgoing=outgoing, clock=clock))
    assert finding.verdict is Verdict.OK
    wrong = Outgoing(clock, credentials={server.url: Credentials(token=Secret("an-older-token"))})
    (finding,) = PROBES["promql"].findings(ask, soon(), ProbeTools(outgoing=wrong, clock=clock))
    wrong.close()
    assert finding.verdict is Verdict.UNKNOWN
    assert "401" in finding.headline
    assert "an-older-token" not in repr(finding)


def test_the_comparison_with_alertmanager_brings_it(server: Monitoring, outgoing: Outgoing) -> None:
    """Ends and silences are found behind a token, too."""
    assert isinstance(AlertmanagerClient(outgoing, SystemClock()).view(server.url, {"f"}), AlertmanagerView)


COMMANDS = {
    "coverage": ["rules", "coverage", "--prometheus", "{url}"],
    "backtest": ["backtest", "--prometheus", "{url}", "--since", "2h", "--against", "./rules"],
    "explain": ["rules", "explain", "--alertmanager", "{url}"],
    "explain, configured": ["rules", "explain", "--alertmanager"],
    "doctor": ["doctor", "--output", "json"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_bring_it(name: str, server: Monitoring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every query of a live server carries the configured token, and prints it nowhere."""
    monkeypatch.chdir(ROOT)
    env = {
        "RESPONDER_PROMETHEUS_URL": server.url,
        "RESPONDER_PROMETHEUS_TOKEN": TOKEN,
        "RESPONDER_ALERTMANAGER_URL": server.url,
        "RESPONDER_ALERTMANAGER_TOKEN": TOKEN,
        "RESPONDER_DATABASE_URL": f"sqlite:///{tmp_path}/none.db",
    }
    done = CliRunner().invoke(main, [part.format(url=server.url) for part in COMMANDS[name]], env=env)
    asked = [call for call in server.calls if call.path.startswith("/api/")]
    assert asked
    assert {call.headers.get("authorization") for call in asked} == {f"Bearer {TOKEN}"}
    assert "401" not in done.output.replace(server.url, "")  # whose port may be 40159
    assert TOKEN not in done.output


def test_a_command_without_it_says_what_to_set(server: Monitoring) -> None:
    """A server that refuses strangers leads to the setting, and to the address it goes to."""
    done = CliRunner().invoke(main, ["rules", "coverage", "--prometheus", server.url, f"--rules={ROOT / 'rules'}"])
    assert done.exit_code == 1
    assert "status 401" in done.output
    assert "RESPONDER_PROMETHEUS_TOKEN" in done.output


def test_doctor_without_it_says_what_to_set(
    server: Monitoring, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The check of what is in place names the missing token."""
    monkeypatch.chdir(ROOT)
    env = {
        "RESPONDER_PROMETHEUS_URL": server.url,
        "RESPONDER_ALERTMANAGER_URL": server.url,
        "RESPONDER_DATABASE_URL": f"sqlite:///{tmp_path}/none.db",
    }
    done = CliRunner().invoke(main, ["doctor", "--output", "json"], env=env)
    found = {each["about"]: each["change"] for each in json.loads(done.stdout)}
    assert "set RESPONDER_PROMETHEUS_TOKEN" in found["prometheus"]
    assert "set RESPONDER_ALERTMANAGER_TOKEN" in found["alertmanager"]
