"""Safety of investigations in a cluster: what is read, what may break, what may leak, what it may cost."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from responder.bootstrap import SystemClock
from responder.bootstrap.kubernetes import reads_of
from responder.diagnose.cluster.causes import SENTENCE, investigate
from responder.diagnose.cluster.collect import collect
from responder.diagnose.cluster.objects import pruned
from responder.diagnose.cluster.reader import (
    MOST_THREADS,
    RESOURCES,
    Reader,
    SharedReads,
    is_name,
    listing,
    log_of,
    segment,
    single,
)
from responder.diagnose.cluster.scene import Place, Scene
from responder.diagnose.conclude import conclude
from responder.diagnose.contract import ProbeContext, ProbeTools
from responder.diagnose.probes import PROBES
from responder.diagnose.probes.kubernetes import KINDS, place_of
from responder.model.clock import Deadline
from responder.model.message import Response
from responder.model.problem import Position
from responder.model.rule import ProbeSpec
from responder.model.secret import Secret
from responder.outgoing import Outgoing
from responder.outgoing.kubernetes import ApiServer
from responder.triage.subject import subject
from tests.support.kubernetes.investigation import scene_of
from tests.support.kubernetes.scenarios import load
from tests.support.platform import a_book

SCENARIOS = sorted(Path("tests/scenarios").glob("*.yaml"))
_PATHS = re.compile(
    "|".join(
        rf"{re.escape(each.root)}(?:/namespaces/[a-z0-9.-]+)?/{each.plural}(?:/[a-z0-9.-]+)?(?:\?.*)?"
        for each in RESOURCES.values()
    )
)
_LOG = re.compile(r"/api/v1/namespaces/[a-z0-9.-]+/pods/[a-z0-9.-]+/log\?.*")


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_only_listed_resources_and_logs_are_read(path: Path) -> None:
    """No Secret, ConfigMap, exec, proxy or port-forward is asked for, in no scenario."""
    scenario = load(path, datetime.now(UTC))
    scene_of(scenario)
    assert scenario.cluster.asked
    for target in scenario.cluster.asked:
        assert _PATHS.fullmatch(target) or _LOG.fullmatch(target), target
        assert not re.search(r"secret|configmap|/exec|/attach|/proxy|/portforward|/token|watch|\.\.|%2f", target)


def test_no_resource_holds_secrets() -> None:
    """Secrets, ConfigMaps and sub-resources are not among the resources that can be read."""
    assert not {"secrets", "configmaps"} & {each.plural for each in RESOURCES.values()}
    assert all(re.fullmatch(r"[a-z]+", each.plural) for each in RESOURCES.values())


def test_the_shipped_roles_are_exactly_what_is_read() -> None:
    """The roles allow get and list of the listed resources, get of pods/log, and nothing else."""
    manifests = list(yaml.safe_load_all(Path("deploy/kubernetes/rbac.yaml").read_text("utf-8")))
    roles = {each["metadata"]["name"]: each["rules"] for each in manifests if each["kind"] == "ClusterRole"}
    given_ = {
        (group, resource, verb)
        for rule in roles["butterfly-responder-read"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    groups = {(listing(kind).group, each.plural) for kind, each in RESOURCES.items()}
    assert given_ == {(*each, verb) for each in groups for verb in ("get", "list")}
    assert roles["butterfly-responder-logs"] == [{"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}]
    assert {each["kind"] for each in manifests} == {"ClusterRole", "ClusterRoleBinding"}
    assert all(not rule.keys() - {"apiGroups", "resources", "verbs"} for rules in roles.values() for rule in rules)


def test_the_shipped_manifests_belong_together() -> None:
    """Every manifest parses, and the roles are bound to the account that the deployment runs under."""
    files = sorted(Path("deploy/kubernetes").glob("*.yaml"))
    manifests = [each for file in files for each in yaml.safe_load_all(file.read_text("utf-8")) if each]
    assert all({"apiVersion", "kind", "metadata"} <= each.keys() for each in manifests)
    accounts = {each["metadata"]["name"] for each in manifests if each["kind"] == "ServiceAccount"}
    bound = [each for each in manifests if each["kind"] == "ClusterRoleBinding"]
    assert {subject_["name"] for each in bound for subject_ in each["subjects"]} == accounts
    assert {each["roleRef"]["name"] for each in bound} == {"butterfly-responder-read", "butterfly-responder-logs"}
    [pod] = [each["spec"]["template"]["spec"] for each in manifests if each["kind"] == "Deployment"]
    assert {pod["serviceAccountName"]} == accounts
    assert pod["automountServiceAccountToken"] is True


def test_only_doctor_posts() -> None:
    """Reviews of its own rights by ``doctor`` are the only requests other than GET."""
    posts = re.compile(r"\bserver\.post\(|\bApiServer\b[^\n]*\.post\(")
    found = [str(each) for each in Path("responder").rglob("*.py") if posts.search(each.read_text("utf-8"))]
    assert found == ["responder/cli/doctor/cluster.py"]


HOSTILE = st.one_of(
    st.text(max_size=300),
    st.text("abz019-./%:?&=, \\\n", max_size=300),
    st.sampled_from(["..", ".", "a/..", "a..b", "%2f", "a%2fb", "a/b", "a?b", "a#b", "ａ", "a\n", "a" * 254, "", "A"]),
)


@given(HOSTILE)
def test_no_name_changes_the_shape_of_a_path(name: str) -> None:
    """A name is one segment of a path and one value of a query, or it is refused."""
    try:
        assert segment(name) == name
    except ValueError:
        assert not is_name(name)
        with pytest.raises(ValueError, match="no Kubernetes name"):
            log_of("shop", "a", name, previous=False)
        return
    assert is_name(name)
    assert re.fullmatch(r"[a-z0-9.-]{1,253}", name)
    assert ".." not in name
    assert single("Pod", name, name).target == f"/api/v1/namespaces/{name}/pods/{name}"


@given(st.dictionaries(st.sampled_from([*KINDS, "namespace", "app", "container"]), HOSTILE))
def test_no_label_changes_the_shape_of_a_read(labels: dict[str, str]) -> None:
    """Labels that are no Kubernetes names are left out of the place, so every read has a listed path."""
    known = ProbeContext(subject=subject(labels, a_book()), services={}, prometheus_url="", cluster=True)
    asked: list[str] = []

    def fetch(target: str, deadline: Deadline, cap: int, accept: str) -> Response:  # noqa: ARG001 - the names are those of Fetch
        asked.append(target)
        return Response(200, b'{"kind": "List", "items": []}')

    clock = SystemClock()
    shared = SharedReads(fetch, clock)
    collect(place_of(known), Reader(shared, clock), Deadline(clock.monotonic() + 5), clock, clock.now())
    assert all(_PATHS.fullmatch(each) for each in asked), asked
    assert all(re.fullmatch(r"[A-Za-z0-9/?=&.%-]+", each) for each in asked), asked


@cache
def scene(number: int) -> Scene:
    """Return the scene of a scenario."""
    return scene_of(load(SCENARIOS[number], datetime.now(UTC)))


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in parsed JSON."""
    if isinstance(value, Mapping | list | tuple):
        for key, each in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield (*path, key)
            yield from places(each, (*path, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    """Replace the value at a path, unless its parent has been replaced."""
    for key in path[:-1]:
        if not isinstance(value, dict | list) or (isinstance(value, dict) and key not in value):
            return
        value = value[key] if isinstance(value, dict) or key < len(value) else None
    if isinstance(value, dict) or (isinstance(value, list) and path[-1] < len(value)):
        value[path[-1]] = new


#: Any JSON, also what no API server sends: numbers beyond floats, times that are none, lists of everything.
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False),
        st.text(max_size=20),
        st.sampled_from(["²", "9" * 5000, "2026-99-99T00:00:00Z", "1e999Gi", "0001-01-01T00:00:00+23:59", 10**400]),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_no_look_fails_on_an_object_of_another_shape(data: st.DataObject) -> None:
    """An investigation goes on whatever JSON stands in the fields of one name, or in some at random."""
    given_ = scene(data.draw(st.integers(0, len(SCENARIOS) - 1)))
    objects = deepcopy({kind: [dict(each) for each in found] for kind, found in given_.objects.items()})
    # A whole object is checked before: only the fields within.
    found = [path for path in places(objects) if len(path) > 2 and path[2] != "kind"]
    assume(found)  # where nothing may be read there is nothing to replace
    key = data.draw(st.sampled_from(sorted({str(path[-1]) for path in found})))
    same = [path for path in found if str(path[-1]) == key]
    chosen = data.draw(st.one_of(st.just(same), st.lists(st.sampled_from(found), max_size=8)))
    for path in sorted(chosen, key=len, reverse=True):
        put(objects, path, data.draw(JSON))
    investigate(replace(given_, objects={kind: tuple(map(pruned, each)) for kind, each in objects.items()}))


def test_fifty_incidents_on_a_server_that_hangs() -> None:
    """A hung API server costs a bounded number of threads, each page ends by its deadline and says why."""
    clock = SystemClock()
    most, held = [0], threading.Event()

    def fetch(target: str, deadline: Deadline, cap: int, accept: str) -> Response:  # noqa: ARG001 - the names are those of Fetch
        most[0] = max(most[0], sum(each.name == "kubernetes" for each in threading.enumerate()))
        held.wait(10)
        return Response(500, b"")

    shared = SharedReads(fetch, clock)
    scenes: list[Scene] = []

    def page(number: int) -> None:
        place = Place(namespace=f"space-{number}", workload="orders")
        until = Deadline(clock.monotonic() + 1.0)
        scenes.append(collect(place, Reader(shared, clock), until, clock, datetime.now(UTC)))

    pages = [threading.Thread(target=page, args=(number,)) for number in range(50)]
    began = time.monotonic()
    for each in pages:
        each.start()
    for each in pages:
        each.join()
    assert time.monotonic() - began < 1.0 + 3.0
    assert most[0] <= MOST_THREADS
    assert len(scenes) == 50
    assert all(each.unseen and not each.objects for each in scenes)
    assert any("threads that read the cluster are busy" in found.why for each in scenes for found in each.unseen)
    held.set()


OWN = "correct&horse<battery>staple"
#: A secret, and the text around it as programs and people write it.
SEEDS = (
    ("hunter2-ExAmPle", "--db-password={}"),
    ("hunter2-ExAmPle", "connect to postgres://app:{}@db:5432/shop failed"),
    ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "{}"),
    ("xoxb-123456789012-123456789012-AbCdEfGhIjKlMnOpQrStUvWx", "token {} is refused"),
    ("AKIAIOSFODNN7EXAMPLE", "error: key {} is unknown"),
    (OWN, "error: {} is refused"),
    (OWN, "{}"),
)
#: Where texts stand that people or programs write. Names and times are checked by Kubernetes.
FREE = frozenset(
    {"message", "note", "image", "value", "args", "command", "labels", "annotations", "matchLabels", "selector", "path"}
)


def seeded(answer: bytes, text: str, chance: Random) -> bytes:
    """Put a text into free fields of an answer of the API, before or behind what stands there, or alone."""
    try:
        body = json.loads(answer)
    except ValueError:  # a log
        lines = answer.decode().splitlines()
        lines.insert(chance.randint(0, len(lines)), f"2026-11-30T01:00:00.1Z ERROR {text}")
        return "\n".join(lines).encode()
    found = [path for path in places(body) if FREE & set(map(str, path)) and isinstance(at(body, path), str)]
    for path in chance.sample(found, min(len(found), chance.randint(1, 40))):
        filler = chance.choice(["", "x" * 17 + " ", "word " * 44, "word " * 46 + "ab ", "w" * 117 + " "])
        put(body, path, chance.choice([text, f"{at(body, path)} {text}", f"{filler}{text}"]))
    return json.dumps(body, ensure_ascii=False).replace("&", "\\u0026").encode()


def at(value: Any, path: tuple[Any, ...]) -> Any:
    """Return the value at a path of parsed JSON."""
    for key in path:
        value = value[key]
    return value


class _Api(ApiServer):
    """An API server whose answers hold secrets."""

    def __init__(self, answer: Callable[[str], Response]) -> None:
        self._answer = answer

    def get(self, target: str, deadline: Deadline, cap: int, accept: str = "") -> Response:
        return self._answer(target)

    def close(self) -> None:
        pass


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SCENARIOS), st.sampled_from(SEEDS), st.integers(0, 2**32))
def test_a_secret_in_the_cluster_is_in_no_finding_and_no_log_line(
    path: Path, seed: tuple[str, str], number: int
) -> None:
    """A secret anywhere in objects and logs leaves the probe in no form, and findings are all that leaves it.

    Rows, pages, threads and metrics are made of findings. Each sentence has at most 240 characters.
    """
    scenario, (secret, around), lock = load(path, datetime.now(UTC)), seed, threading.Lock()

    def answer(target: str) -> Response:
        with lock:
            status, body = scenario.cluster.answer(target)
        return Response(status, seeded(body, around.format(secret), Random(f"{number} {target}")))

    clock = SystemClock()
    reads = reads_of(_Api(answer), clock, (Secret(OWN),))
    tools: ProbeTools = ProbeTools(outgoing=Outgoing(clock), clock=clock, cluster=reads)
    known = ProbeContext(
        subject=subject(scenario.alerts[0]["labels"], a_book(services={}, namespace="")),
        services={},
        prometheus_url="",
        cluster=True,
    )
    kind = PROBES["kubernetes"]
    probe = ProbeSpec(name="cluster", kind="kubernetes", timeout=5, spec=kind.spec(), position=Position("x", 1, 1))
    with capture_logs() as lines:
        [question] = kind.questions(probe, known)
        findings = kind.findings(question, Deadline(clock.monotonic() + 5), tools)
    left = repr((findings, conclude(findings, known.subject), lines))
    for part in (secret, secret[:12], secret[-12:], OWN.replace("&", "\\u0026")):
        assert part not in left
    assert all(len(each.clue.says) <= SENTENCE for each in findings if each.clue)


def test_looks_cut_between_words() -> None:
    """No look cuts a text by its position: that may part a redaction mark."""
    for file in Path("responder/diagnose/cluster").rglob("*.py"):
        assert not re.search(r"\[:[0-9]{2,}\]", file.read_text("utf-8")), file
