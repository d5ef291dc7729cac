"""``responder runbooks run`` and ``drill``: what is run, what is not, and what is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from responder.cli import main
from responder.model.transcript import StepRecord
from responder.standins.cluster.running import Scenario
from responder.store.database import Database
from responder.store.incidents import transcripts
from responder.store.schema.migrate import migrate
from responder.store.schema.tables import contents
from tests.support.kubernetes.server import KubernetesStandIn

ROOT = Path(__file__).parents[3]
NAMES = dict.fromkeys(("plato", "nexus"), "butterfly")
FOUR = ["incident-response.md", "disaster-recovery.md", "scaling.md", "common-issues.md"]

RUNBOOK = """# Test

## Procedure

### Step 1: Look

```sh {"name":"pods","tag":"readonly"}
kubectl get pods -l app={{ service }}
```

**Expected output:**

```text {"for":"pods"}
{{ service }}-* 1/1 Running *
```

### Step 2: Roll back

```sh {"name":"undo","tag":"mutating"}
touch PLACE/mutated
```

### Step 3: Unmarked

```sh {"name":"unmarked"}
touch PLACE/unmarked
```

### Step 4: Malformed

```sh {"name":"malformed","tag":"readonly"
touch PLACE/malformed
```

### Step 5: More than one command

```sh {"name":"shell","tag":"readonly"}
kubectl get pods; touch PLACE/shell
```

### Step 6: Call

Manual step. Call the owner.
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped rules, an empty database with one incident, and a runbook that would leave files behind."""
    monkeypatch.setenv("RESPONDER_RULES", str(ROOT / "rules"))
    monkeypatch.setenv("RESPONDER_RUNBOOKS", str(ROOT / "runbooks"))
    monkeypatch.setenv("RESPONDER_PROMETHEUS_URL", "http://prometheus.monitoring:9090")
    monkeypatch.setenv("RESPONDER_ALERTMANAGER_URL", "http://alertmanager.monitoring:9093")
    monkeypatch.setenv("RESPONDER_DATABASE_URL", f"sqlite:///{tmp_path / 'responder.db'}")
    (tmp_path / "test.md").write_text(RUNBOOK.replace("PLACE", str(tmp_path)), "utf-8")
    return tmp_path


@pytest.fixture
def cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubernetesStandIn]:
    """A cluster in which all is well."""
    with KubernetesStandIn(Scenario("healthy", NAMES).cluster(), folder) as found:
        monkeypatch.setenv("RESPONDER_KUBECONFIG", str(found.kubeconfig()))
        yield found


def invoke(*arguments: str, answers: str = "") -> Result:
    """Run a command."""
    return CliRunner().invoke(main, ["runbooks", *arguments], input=answers)


def left_behind(folder: Path) -> set[str]:
    """Return the files that a command of the runbook would have made."""
    return {"mutated", "unmarked", "malformed", "shell"} & {each.name for each in folder.iterdir()}


def test_only_marked_steps_are_run(folder: Path, cluster: KubernetesStandIn) -> None:
    """A read-only step is compared; one that is mutating, unmarked, malformed or more than a command is not run."""
    done = invoke("run", str(folder / "test.md"), "--value", "service=plato", "--output", "json")
    found = {each["name"]: each for each in json.loads(done.stdout)}
    assert set(found) == {"pods", "shell"}
    assert (found["pods"]["result"], found["pods"]["step"], found["pods"]["steps"]) == ("match", 1, 6)
    assert (found["shell"]["result"], found["shell"]["command"]) == ("unknown", "")
    assert "shell" in found["shell"]["difference"]
    assert done.exit_code == 3
    assert left_behind(folder) == set()
    assert cluster.refused == []


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("name", ["undo", "unmarked", "malformed", "nothing"])
def test_a_step_that_is_not_marked_is_refused_by_name(folder: Path, name: str) -> None:
    """Its name does not make it run, and the message lists those that do."""
    done = invoke("run", str(folder / "test.md"), "--step", name, "--value", "service=plato")
    assert done.exit_code == 1
    assert f"step {name}" in done.stderr
    assert "read-only steps are: pods, shell" in done.stderr
    assert left_behind(folder) == set()


def test_a_difference_is_shown(folder: Path, cluster: KubernetesStandIn) -> None:
    """A step whose output differs says so, and the exit status is 1."""
    cluster.cluster = Scenario("failing", NAMES, failing=True).cluster()
    text = (folder / "test.md").read_text("utf-8").replace("1/1 Running", "2/2 Running")
    (folder / "test.md").write_text(text, "utf-8")
    done = invoke("run", str(folder / "test.md"), "--step", "pods", "--value", "service=plato")
    assert done.exit_code == 1
    assert "step 1 of 6: Look (pods)" in done.stdout
    assert "$ kubectl --namespace=butterfly get pods -l app=plato" in done.stdout
    assert "differs: expected 'plato-* 2/2 Running *', got 'plato-6f9d8c7b5-t2w8c 1/1 Running 0 24h'" in done.stdout


@pytest.mark.usefixtures("folder")
def test_a_dry_run_prints_the_arguments_and_asks_nothing() -> None:
    """The argument vector is printed as a shell needs it; no server is asked."""
    done = invoke("run", "common-issues.md#service-down", "--dry-run", "--value", "service=plato")
    assert done.exit_code == 0, done.output
    assert "down-pods: kubectl -n butterfly get pods -l app=plato -o wide" in done.stdout
    assert "down-health: curl -sS --max-time 5 http://plato:8080/actuator/health" in done.stdout
    assert "down-rollback" not in done.stdout


@pytest.mark.parametrize(
    "value",
    ["service=nowhere", "service=--kubeconfig=/x", "pod=a b", "pod=$(id)", "pod=../x", "pod=", "pod", "pod=a\nb"],
)
def test_a_value_that_is_no_name_is_refused(folder: Path, value: str) -> None:
    """A service is one of the catalog, and any other value is a name."""
    done = invoke("run", str(folder / "test.md"), "--dry-run", "--value", value)
    assert done.exit_code == 1
    assert "--value" in done.stderr
    assert done.stdout == ""


def test_a_link_out_of_the_repository_is_not_followed(folder: Path) -> None:
    """A runbook that is a link to elsewhere, a folder or a missing section is not read."""
    (folder / "repository" / ".git").mkdir(parents=True)
    (folder / "repository" / "link.md").symlink_to(folder / "test.md")
    for file in ("repository/link.md", "repository", "nothing.md", "test.md#nothing"):
        done = invoke("run", f"{folder}/{file}", "--dry-run")
        assert (done.exit_code, done.stdout) == (1, ""), file


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    """A database with one incident."""
    found = Database(f"sqlite:///{folder / 'responder.db'}")
    migrate(found)
    with found.write() as connection:
        row = {"incident": "INC-1", "decision": b"{}", "alerts": b"{}", "changed_at": 0.0}
        connection.execute(contents.insert().values(**row))
    yield found
    found.close()


def test_a_run_is_recorded_with_the_incident(folder: Path, cluster: KubernetesStandIn, database: Database) -> None:
    """A command, its hash and its result stay with the incident, the newest last; an unknown incident is named."""
    for _ in range(2):
        done = invoke("run", str(folder / "test.md"), "--step", "pods", "--value", "service=plato", "--record", "INC-1")
        assert done.exit_code == 0, done.output
    with database.read() as connection:
        [records] = transcripts.every(connection).values()
    assert [(each.step, each.result) for each in records] == [("step 1 of 6: pods", "match")] * 2
    assert records[0].command == "kubectl --namespace=butterfly get pods -l app=plato"
    assert len(records[0].sha256) == 64
    assert "1/1" in records[0].output
    assert records[0].at <= records[1].at <= datetime.now(UTC) + timedelta(seconds=1)
    done = invoke("run", str(folder / "test.md"), "--step", "pods", "--value", "service=plato", "--record", "INC-2")
    assert done.exit_code == 1
    assert "there is no incident INC-2" in done.stderr
    assert cluster.refused == []


def test_old_records_are_dropped(database: Database) -> None:
    """An incident keeps a bounded number of records."""
    record = StepRecord(at=datetime.now(UTC), runbook="x.md", step="1", result="match")
    with database.write() as connection:
        assert transcripts.add(connection, "INC-1", [record] * (transcripts.MOST_RECORDS + 5))
        assert len(transcripts.every(connection)["INC-1"]) == transcripts.MOST_RECORDS


@pytest.mark.usefixtures("cluster")
def test_a_guided_run_walks_through_all_steps(folder: Path, database: Database) -> None:
    """Marked steps are run on demand; all others are ticked or skipped, and each answer is recorded."""
    file = str(folder / "test.md")
    arguments = ("--guided", "--value", "service=plato", "--record", "INC-1")
    done = invoke("run", file, *arguments, answers="x\ny\nd\ns\nd\nd\n")
    with database.read() as connection:
        [records] = transcripts.every(connection).values()
    assert [(each.step.partition(":")[0], each.result) for each in records] == [
        ("step 1 of 6", "match"),
        ("Procedure", "done"),
        ("Procedure", "skipped"),
        ("Procedure", "done"),
        ("step 5 of 6", "unknown"),
        ("Procedure", "done"),
    ]
    assert "kubectl get pods -l app=plato\n" in done.output
    assert "step 6 of 6: Call\n  Manual step. Call the owner." in done.output
    assert left_behind(folder) == set()


@pytest.mark.usefixtures("cluster")
def test_a_guided_run_can_be_stopped(folder: Path) -> None:
    """``q`` and the end of the input end it; nothing more is run."""
    for answers in ("q\n", ""):
        done = invoke("run", str(folder / "test.md"), "--guided", "--value", "service=plato", answers=answers)
        assert "stopped here" in done.stderr
        assert "step 2 of 6" not in done.output
        assert done.exit_code == 0


@pytest.mark.usefixtures("cluster")
def test_other_answers_end_a_guided_run(folder: Path) -> None:
    """A pipe that answers something else is not asked for ever; ``n`` skips."""
    arguments = ("run", str(folder / "test.md"), "--guided", "--value", "service=plato")
    done = invoke(*arguments, answers="x\n" * 50)
    assert done.stderr.count("answer y, s or q") == 3
    assert "stopped here" in done.stderr
    assert "step 6 of 6" in invoke(*arguments, answers="n\n" * 50).output


def test_a_run_says_which_values_are_missing(folder: Path) -> None:
    """Without a value the commands are named with the reason, and the option that is missing."""
    done = invoke("run", str(folder / "test.md"), "--dry-run")
    assert "pods: not run: there is no value for {{ service }}" in done.stdout
    assert "add --value service=..." in done.stderr
    assert done.exit_code == 3
    done = invoke("run", str(folder / "test.md"), "--dry-run", "--output", "json", "--value", "service=plato")
    assert json.loads(done.stdout)[0]["command"] == "kubectl --namespace=butterfly get pods -l app=plato"


@pytest.mark.usefixtures("cluster")
def test_a_record_names_the_runbook_as_rules_link_it(database: Database) -> None:
    """The report counts the steps that were run with the runbook and section of the incidents."""
    arguments = (
        "common-issues.md#service-down",
        "--step",
        "down-pods",
        "--value",
        "service=plato",
        "--record",
        "INC-1",
    )
    assert invoke("run", *arguments).exit_code == 0
    with database.read() as connection:
        [records] = transcripts.every(connection).values()
    assert [record.runbook for record in records] == ["common-issues.md#service-down"]


@pytest.mark.usefixtures("database")
def test_nothing_is_run_for_an_incident_that_does_not_exist(folder: Path) -> None:
    """A transcript that could not be kept is noticed before the first step."""
    done = invoke("run", str(folder / "test.md"), "--value", "service=plato", "--record", "INC-NONE")
    assert "there is no incident INC-NONE: nothing was run" in done.stderr
    assert "kubectl" not in done.stdout


def test_a_misspelled_runbook_or_section_has_a_suggestion(folder: Path) -> None:
    """A name without its ending is found; another one is suggested."""
    assert "did you mean 'step-1-look'" in invoke("run", str(folder / "test.md") + "#step-1-lok", "--dry-run").stderr
    assert "did you mean 'scaling.md'" in invoke("run", "scalling.md", "--dry-run").stderr
    assert invoke("run", "scaling#add-replicas", "--dry-run").exit_code in {0, 1, 3}


@pytest.mark.usefixtures("folder")
def test_the_four_runbooks_say_what_their_steps_produce() -> None:
    """Every read-only step of the shipped runbooks is as expected in one of the stand-in scenarios."""
    done = invoke("drill", *FOUR)
    assert done.exit_code == 0, "\n".join(line for line in done.stdout.splitlines() if not line.startswith("ok"))
    lines = done.stdout.splitlines()
    assert len(lines) > 60
    assert not [line for line in lines if line.startswith("skipped") and "is not started in a drill" not in line]


def test_a_drill_finds_a_step_that_no_longer_fits(folder: Path) -> None:
    """An expected block that no scenario produces, and a command that is refused, are reported with their line."""
    file = folder / "test.md"
    file.write_text(file.read_text("utf-8").replace("1/1 Running", "9/9 Running"), "utf-8")
    done = invoke("drill", str(file), "--output", "json")
    found = [(each["result"], each["name"], each["place"].rpartition(":")[2]) for each in json.loads(done.stdout)]
    assert done.exit_code == 1
    assert found == [("differs", "pods", "8"), ("not run", "shell", "38")]
    assert "9/9 Running *', got" in done.stdout
    assert left_behind(folder) == set()


def test_health_lists_services_and_pods_in_one_table(cluster: KubernetesStandIn) -> None:
    """Pods have restarts, node and usage; one that is not ready is bad."""
    cluster.cluster = Scenario("failing", NAMES, failing=True).cluster()
    done = CliRunner().invoke(main, ["health", "--timeout", "2", "--output", "json"])
    found = {each["pod"]: each for each in json.loads(done.stdout) if "pod" in each}
    crashing, pending, well = (found[f"plato-6f9d8c7b5-{each}"] for each in ("x7k2p", "m4q9z", "t2w8c"))
    assert done.exit_code == 1
    assert (crashing["verdict"], pending["verdict"], well["verdict"]) == ("bad", "bad", "ok")
    assert crashing["headline"].startswith("0/1 CrashLoopBackOff, restarts 7 (3m")
    assert well["headline"] == "1/1 Running, restarts 0, age 24h, on node-c, CPU 120m, memory 410Mi"
    assert "2 of 7 pods ready" in done.stderr


def test_health_takes_the_leftover_of_a_job_for_no_fault(cluster: KubernetesStandIn) -> None:
    """A failed pod whose Job is gone does not count, and its line says why."""
    left = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "dump-1-x7k2p",
            "namespace": "butterfly",
            "uid": "u1",
            "creationTimestamp": "2026-11-30T03:00:00Z",
            "ownerReferences": [{"kind": "Job", "name": "dump-1", "uid": "u2", "controller": True}],
        },
        "spec": {"containers": [{"name": "dump"}]},
        "status": {"phase": "Failed"},
    }
    well = Scenario("healthy", NAMES, failing=False).cluster()
    cluster.cluster = replace(well, objects=[*well.objects, left])
    done = CliRunner().invoke(main, ["health", "--timeout", "2", "--output", "json"])
    found = {each["pod"]: each for each in json.loads(done.stdout) if "pod" in each}
    assert found["dump-1-x7k2p"]["verdict"] == "ok"
    assert found["dump-1-x7k2p"]["headline"].endswith("(its job dump-1 is gone)")


@pytest.mark.usefixtures("folder")
def test_health_without_a_cluster_says_so() -> None:
    """The services are checked as before."""
    done = CliRunner().invoke(main, ["health", "--timeout", "0.5"])
    assert "services healthy" in done.stderr
    assert "pods not checked: no access to a Kubernetes cluster is configured" in done.stderr
