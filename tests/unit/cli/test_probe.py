"""``responder probe``, ``responder redact`` and doctor's check of the cluster, against a Kubernetes API on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from responder.bootstrap import SystemClock
from responder.cli import main
from responder.cli.doctor import cluster
from responder.model.check import Level
from responder.settings import Settings
from tests.support.kubernetes.scenarios import load
from tests.support.kubernetes.server import KubernetesStandIn
from tests.unit.cli.test_doctor_own import a_patient

ROOT = Path(__file__).parents[3]
CRASH = ROOT / "tests/scenarios/crash-missing-env.yaml"
FORBIDDEN = ROOT / "tests/scenarios/limits-logs-forbidden.yaml"


@pytest.fixture
def env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesStandIn]:
    """A cluster in which plato crashes, and the shipped rules."""
    with KubernetesStandIn(load(CRASH, datetime.now(UTC)).cluster, tmp_path) as found:
        monkeypatch.setenv("RESPONDER_KUBECONFIG", str(found.kubeconfig()))
        monkeypatch.setenv("RESPONDER_RULES", str(ROOT / "rules"))
        monkeypatch.setenv("RESPONDER_RUNBOOKS", str(ROOT / "runbooks"))
        yield found


@pytest.mark.usefixtures("env")
def test_a_probe_is_run_by_hand_as_the_engine_would() -> None:
    """The investigation of a workload prints its findings, and its exit status says that something is bad."""
    labels = ["--label", "namespace=butterfly", "--label", "deployment=plato"]
    done = CliRunner().invoke(main, ["probe", "run", "cluster", *labels, "--output", "json"])
    found = json.loads(done.stdout)
    assert done.exit_code == 1, done.output
    assert any("DB_URL" in each["headline"] and each["code"] == "crash" for each in found)


@pytest.mark.usefixtures("env")
def test_probes_are_listed_and_an_unknown_one_is_named() -> None:
    """The list has the shipped probes, and a misspelled name gets the nearest one."""
    done = CliRunner().invoke(main, ["probe", "list", "--output", "json"])
    assert {"probe": "cluster", "kind": "kubernetes"}.items() <= next(
        each for each in json.loads(done.stdout) if each["probe"] == "cluster"
    ).items()
    wrong = CliRunner().invoke(main, ["probe", "show", "clster"])
    assert wrong.exit_code == 1
    assert "clster" in wrong.stderr
    assert "cluster" in wrong.stderr


def test_redact_prints_a_text_without_its_secrets(tmp_path: Path) -> None:
    """A password in a file is not printed, the rest is."""
    file = tmp_path / "log"
    file.write_text("login as postgres://me:hunter2@db/shop failed\n")
    done = CliRunner().invoke(main, ["redact", str(file)])
    assert done.exit_code == 0
    assert "hunter2" not in done.output
    assert "db/shop failed" in done.output


def test_doctor_names_the_rights_that_are_missing_and_those_that_are_too_many(tmp_path: Path) -> None:
    """Without the right to read logs doctor prints the lines to add to the role; full rights are reported as excess."""
    clock = SystemClock()
    with KubernetesStandIn(load(FORBIDDEN, datetime.now(UTC)).cluster, tmp_path) as server:
        patient = a_patient(Settings(kubeconfig=str(server.kubeconfig())), clock)
        missing, excess = cluster.access(patient)
        assert missing.level is Level.WARN
        assert "get pods/log" in missing.what
        assert 'resources: ["pods/log"]' in missing.change
        assert "get secrets" in excess.what
        assert server.refused == []


def test_doctor_skips_a_cluster_that_is_not_configured() -> None:
    """Without a kubeconfig and a service account nothing is asked."""
    [found] = cluster.access(a_patient(Settings(), SystemClock()))
    assert found.level is Level.SKIPPED
