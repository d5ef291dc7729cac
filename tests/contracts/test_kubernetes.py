"""Contract of the reads of a Kubernetes API server, against one on loopback over TLS."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from responder.bootstrap import SystemClock
from responder.bootstrap.kubernetes import AccessError, cluster_access, from_kubeconfig, reads_of
from responder.diagnose.cluster.collect import collect
from responder.diagnose.cluster.reader import MOST_BYTES, Reader, SharedReads, UnseenError, listing, log_of, single
from responder.diagnose.cluster.scene import Place, Unseen
from responder.model.clock import Deadline
from responder.outgoing.kubernetes import ApiServer, ClusterAccess
from responder.settings import Settings
from responder.standins.cluster.api import Cluster, LogText
from responder.standins.server import Call, Fault, Reply, StandIn, drip, hang, reset, status, swallow
from tests.support.kubernetes.server import TOKEN, KubernetesStandIn

BUDGET = 0.5
#: Seconds after the deadline on a busy machine.
SLACK = 3.0
POD: dict[str, Any] = {"kind": "Pod", "metadata": {"name": "orders-1", "namespace": "shop", "uid": "u1"}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KubernetesStandIn]:
    """An API server with one pod and its log."""
    log = LogText("shop", "orders-1", "orders", previous=False, text="ready\n")
    with KubernetesStandIn(Cluster((POD,), (log,)), tmp_path) as found:
        yield found
        while _OPEN:
            _OPEN.pop().close()


_OPEN: list[SharedReads] = []


def reader(path: Path) -> Reader:
    """Return a reader for the current context of a kubeconfig."""
    return reader_with(from_kubeconfig(path))


def reader_with(access: ClusterAccess) -> Reader:
    """Return a reader with an access; the fixture closes its connections."""
    clock = SystemClock()
    _OPEN.append(reads_of(ApiServer(access, clock), clock))
    return Reader(_OPEN[-1], clock)


def unseen(found: Reader, read: Any = None, seconds: float = BUDGET) -> Unseen:
    """Return why a read fails."""
    with pytest.raises(UnseenError) as raised:
        found.objects(read or listing("Pod", "shop"), Deadline(time.monotonic() + seconds))
    return raised.value.unseen


def names(found: Reader, seconds: float = 5.0) -> list[str]:
    """Return the names of the pods that are read."""
    objects = found.objects(listing("Pod", "shop"), Deadline(time.monotonic() + seconds))
    return [each["metadata"]["name"] for each in objects]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (hang(30), "after 0."),
        (drip(0.05), "after 0."),
        (reset(), "connection"),
        (swallow(), "connection"),
        (status(200, b"\xff\xfe{nonsense"), "the answer is not JSON of the Kubernetes API"),
        (status(200, b"<html>Please log in</html>"), "the answer is not JSON of the Kubernetes API"),
        (status(200, b"[1, 2]"), "the answer is not an object of the Kubernetes API"),
        (status(200, b"[" * 100_000), "the answer is not JSON of the Kubernetes API"),
        (status(200, b'{"kind": "PodList", "items": "none"'), "the answer is not JSON of the Kubernetes API"),
        (status(401), "the API server refuses the token (401)"),
        (status(403), "no right to list pods in namespace shop (403)"),
        (status(410), "the API server answered 410"),
        (status(429, Retry_After="30"), "the API server throttles requests (429)"),
        (status(429, Retry_After="soon"), "the API server throttles requests (429)"),
        (status(500), "the API server answered 500"),
        (status(503, b"<html>"), "the API server answered 503"),
    ],
)
def test_a_failure_has_a_name_by_the_deadline(server: KubernetesStandIn, fault: Fault, why: str) -> None:
    """A read ends, whatever the API server does, by its deadline with a reason, and never as an empty list."""
    server.manner = lambda _call: fault
    began = time.monotonic()
    found = unseen(reader(server.kubeconfig()))
    assert time.monotonic() - began < BUDGET + SLACK
    assert why in found.why
    assert TOKEN not in found.why


def test_a_missing_right_names_the_line_of_the_role(server: KubernetesStandIn) -> None:
    """A 403 names verb, resource, namespace, and the line to add, with the API group."""
    server.manner = lambda _call: status(403)
    found = unseen(reader(server.kubeconfig()), listing("ReplicaSet", "shop"))
    assert found.why == "no right to list replicasets in namespace shop (403)"
    assert found.change == 'apiGroups: ["apps"], resources: ["replicasets"], verbs: ["get", "list"]'
    assert unseen(reader(server.kubeconfig()), single("Node", "n1")).why == "no right to get nodes (403)"
    log = log_of("shop", "orders-1", "orders", previous=False)
    with pytest.raises(UnseenError) as raised:
        reader(server.kubeconfig()).log(log, Deadline(time.monotonic() + BUDGET))
    assert raised.value.unseen.change == 'apiGroups: [""], resources: ["pods/log"], verbs: ["get"]'


def test_a_redirect_is_not_followed(server: KubernetesStandIn) -> None:
    """The token goes to the configured server only."""

    class Elsewhere(StandIn):
        def answer(self, call: Call) -> Reply:
            return Reply(200, b'{"kind": "PodList", "items": []}')

    with Elsewhere() as other:
        server.manner = lambda _call: status(302, Location=f"{other.url}/api/v1/pods")
        assert unseen(reader(server.kubeconfig())).why == "the API server answered 302"
        assert other.calls == []


def test_a_huge_answer_is_cut_and_named(server: KubernetesStandIn) -> None:
    """An answer of 40 MB costs at most some MiB of memory; it is not shared as if it were whole."""
    body = b'{"kind": "PodList", "items": [' + b" " * 40_000_000 + b"]}"
    found = reader(server.kubeconfig())
    server.faults.append(status(200, body))
    tracemalloc.start()
    try:
        assert unseen(found, seconds=20.0).why == f"the answer is larger than {MOST_BYTES >> 10} KiB"
        assert tracemalloc.get_traced_memory()[1] < 5 * MOST_BYTES
    finally:
        tracemalloc.stop()
    assert names(found) == ["orders-1"]


def test_a_passing_failure_is_repeated_once(server: KubernetesStandIn) -> None:
    """A 500 and a 429 with a short pause are repeated once; 404 is an answer."""
    for fault in (status(500), status(429, Retry_After="0")):
        server.faults.append(fault)
        assert names(reader(server.kubeconfig())) == ["orders-1"]
    server.faults.append(status(404))
    assert names(reader(server.kubeconfig())) == []


def test_an_item_that_is_no_object_is_left_out(server: KubernetesStandIn) -> None:
    """Items of another type do not cost the others."""
    server.faults.append(status(200, json.dumps({"kind": "PodList", "items": [None, 1, "x", [], POD]}).encode()))
    assert names(reader(server.kubeconfig())) == ["orders-1"]


def test_no_list_is_continued(server: KubernetesStandIn) -> None:
    """Of a list that continues the first page is read, so that there is no 410 for an old one."""
    answer = {"kind": "PodList", "metadata": {"continue": "abc"}, "items": [POD]}
    server.faults.append(status(200, json.dumps(answer).encode()))
    assert names(reader(server.kubeconfig())) == ["orders-1"]
    assert not any("continue" in call.path for call in server.calls)
    assert {call.method for call in server.calls} == {"GET"}


def test_a_log_that_the_server_cut_loses_its_last_line(server: KubernetesStandIn) -> None:
    """The last line of a log at its limit may be half a secret, which has no form to be found by."""
    line = "2026-11-30T01:00:00Z " + "a b " * 100 + "\n"
    text = (line * 700)[: 256 * 1024 - 40] + "\n2026-11-30T01:00:01Z token ghp_0123456789abcdefABCDEF"
    server.faults.append(status(200, text[: 256 * 1024].encode()))
    log = log_of("shop", "orders-1", "orders", previous=False)
    found = reader(server.kubeconfig()).log(log, Deadline(time.monotonic() + 5))
    assert found.lines
    assert not any("ghp_" in each for each in found.lines)


def with_user(path: Path, **user: Any) -> Path:
    """Change the user of a kubeconfig."""
    config = yaml.safe_load(path.read_text("utf-8"))
    config["users"][0]["user"] = user
    path.write_text(yaml.safe_dump(config), "utf-8")
    return path


def test_a_token_file_is_read_again_after_a_401(server: KubernetesStandIn, tmp_path: Path) -> None:
    """A rotated token is read again, once a request; a relative path is one beside the kubeconfig."""
    file = tmp_path / "token"
    file.write_text(TOKEN, "utf-8")
    found = reader(with_user(server.kubeconfig(), tokenFile="token"))
    assert names(found) == ["orders-1"]
    file.write_text("old", "utf-8")
    again = reader(server_path := with_user(server.kubeconfig(), tokenFile=str(file)))
    before = len(server.calls)
    assert unseen(again).why == "the API server refuses the token (401)"
    assert len(server.calls) == before + 2
    file.write_text(TOKEN, "utf-8")
    assert names(again) == ["orders-1"]
    file.unlink()
    assert "no token for the API server" in unseen(reader(server_path)).why


def test_the_service_account_of_the_pod(server: KubernetesStandIn, tmp_path: Path) -> None:
    """In a cluster the mounted token, authority and namespace are used, and a rotated token is read again."""
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text("not yet\n", "utf-8")
    (account / "namespace").write_text("ops\n", "utf-8")
    (account / "ca.crt").write_bytes((tmp_path / "kube-apiserver.pem").read_bytes())
    env = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
    access = cluster_access(Settings(), env, account)
    assert access is not None
    assert access.namespace == "ops"
    found = reader_with(access)
    assert unseen(found).why == "the API server refuses the token (401)"
    (account / "token").write_text(f"{TOKEN}\n", "utf-8")
    assert names(found) == ["orders-1"]
    (account / "ca.crt").unlink()
    assert unseen(reader_with(access)).why


def a_plugin(tmp_path: Path, script: str) -> dict[str, Any]:
    """An exec plugin that runs a shell script and counts its runs."""
    count = f"echo run >> {tmp_path}/runs\n"
    return {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "/bin/sh",
        "args": ["-c", count + script],
        "env": [{"name": "GIVEN", "value": TOKEN}],
    }


def test_an_exec_plugin_gives_the_token(server: KubernetesStandIn, tmp_path: Path) -> None:
    """The token of a plugin is used until shortly before it expires."""
    script = """echo '{"status": {"token": "'$GIVEN'", "expirationTimestamp": "2126-01-01T00:00:00Z"}}'"""
    found = reader(with_user(server.kubeconfig(), exec=a_plugin(tmp_path, script)))
    assert names(found) == names(found) == ["orders-1"]
    assert (tmp_path / "runs").read_text() == "run\n"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo secret-of-the-plugin >&2; exit 3", "the exec plugin /bin/sh failed with exit code 3"),
        ("echo no json", "the exec plugin /bin/sh printed no token"),
        ("""echo '{"status": []}'""", "the exec plugin /bin/sh printed no token"),
        ("""echo '{"status": {"token": "x", "expirationTimestamp": 5}}'""", "the exec plugin /bin/sh printed no token"),
    ],
)
def test_a_plugin_that_fails_is_named_and_not_run_for_every_read(
    server: KubernetesStandIn, tmp_path: Path, script: str, why: str
) -> None:
    """The reads of a page share one run of a plugin that fails, and say what it did."""
    found = reader(with_user(server.kubeconfig(), exec=a_plugin(tmp_path, script)))
    assert why in unseen(found, seconds=5).why
    assert why in unseen(found, listing("Event", "shop"), seconds=5).why
    assert (tmp_path / "runs").read_text() == "run\n"


def test_a_page_does_not_wait_for_a_plugin_that_hangs(server: KubernetesStandIn, tmp_path: Path) -> None:
    """A plugin that hangs is run once for all reads of a page, which ends by its deadline."""
    found = reader(with_user(server.kubeconfig(), exec=a_plugin(tmp_path, "exec sleep 2")))
    clock, began = SystemClock(), time.monotonic()
    place = Place(namespace="shop", workload="orders")
    scene = collect(place, found, Deadline(began + BUDGET), clock, clock.now())
    assert time.monotonic() - began < BUDGET + SLACK
    assert scene.unseen
    assert not scene.objects
    assert (tmp_path / "runs").read_text() == "run\n"


def test_a_client_certificate_inline_and_in_a_file(server: KubernetesStandIn) -> None:
    """A certificate and key are read from base64 or from files beside the kubeconfig; an unusable one is named."""
    file = "kube-apiserver.pem"
    user = {"token": TOKEN, "client-certificate": file, "client-key": file}
    assert names(reader(with_user(server.kubeconfig(), **user))) == ["orders-1"]
    user = {"token": TOKEN, "client-certificate-data": "bm8=", "client-key-data": "bm8="}
    assert "a certificate or key cannot be used" in unseen(reader(with_user(server.kubeconfig(), **user))).why
    user = {"token": TOKEN, "client-certificate": "absent.pem", "client-key": file}
    assert "absent.pem cannot be read" in unseen(reader(with_user(server.kubeconfig(), **user))).why


def test_a_server_that_cannot_be_verified_gets_no_token(server: KubernetesStandIn, tmp_path: Path) -> None:
    """A certificate of another authority, or an expired one, ends the read before the token is sent."""
    other = tmp_path / "other"
    other.mkdir()
    with KubernetesStandIn(Cluster((POD,)), other, days=-1) as expired:
        assert "certificate has expired" in unseen(reader(expired.kubeconfig())).why
        config = yaml.safe_load(server.kubeconfig().read_text("utf-8"))
        config["clusters"][0]["cluster"]["certificate-authority"] = "other/kube-apiserver.pem"
        path = tmp_path / "kubeconfig"
        path.write_text(yaml.safe_dump(config), "utf-8")
        assert "certificate" in unseen(reader(path)).why
        assert server.calls == expired.calls == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"current-context": "prod"}, "there is no context prod in contexts: there is scenario"),
        ({"current-context": None}, "there is no context (current-context is empty) in contexts: there is scenario"),
        ({"contexts": 5}, "there is no context scenario in contexts: there is none"),
        ({"users": [None, "x"]}, "there is no user responder in users: there is none"),
        ({"clusters": [{"name": "scenario", "cluster": {"server": "http://10.0.0.1"}}]}, "write an https:// address"),
        ({"clusters": [{"name": "scenario", "cluster": None}]}, "is missing: write an https:// address"),
        ({"users": [{"name": "responder", "user": {"exec": "aws"}}]}, "the exec plugin has no command"),
    ],
)
def test_a_wrong_kubeconfig_is_named(server: KubernetesStandIn, change: dict[str, Any], problem: str) -> None:
    """A kubeconfig that cannot be used is refused with the names that there are."""
    path = server.kubeconfig()
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text("utf-8")), **change}), "utf-8")
    with pytest.raises(AccessError) as raised:
        from_kubeconfig(path)
    assert problem in str(raised.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"a: [", b"\xff\xfe\x00", b"just words"])
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, body: bytes) -> None:
    """Any other file raises an error with its path."""
    path = tmp_path / "config"
    path.write_bytes(body)
    with pytest.raises(AccessError, match=str(path)):
        from_kubeconfig(path)
    with pytest.raises(AccessError, match="cannot be read"):
        from_kubeconfig(tmp_path / "absent")
