"""Pods that ended."""

from __future__ import annotations

from typing import Any

from responder.diagnose.cluster.leftovers import leftovers


def an_object(kind: str, name: str, owner: tuple[str, str] = ("", ""), at: str = "08:00", **status: Any) -> Any:
    """Return an object of that kind, its owner and the time at which it was made."""
    refs = [{"kind": owner[0], "name": owner[1], "uid": f"uid-{owner[1]}", "controller": True}] if owner[0] else []
    times = f"2026-11-30T{at}:00Z"
    metadata = {"name": name, "uid": f"uid-{name}", "creationTimestamp": times, "ownerReferences": refs}
    return {"kind": kind, "metadata": metadata, "status": status}


COMPLETE = [{"type": "Complete", "status": "True"}]
FAILED = [{"type": "Failed", "status": "True"}]


def test_a_pod_of_a_job_that_succeeded_at_the_next_attempt_is_no_fault() -> None:
    """The first attempt of a Job leaves a failed pod behind."""
    pod = an_object("Pod", "dump-1", ("Job", "dump"), phase="Failed")
    assert leftovers([pod], [an_object("Job", "dump", conditions=COMPLETE)]) == {
        "dump-1": "job dump has succeeded since"
    }


def test_a_pod_whose_job_is_gone_is_no_fault() -> None:
    """Nothing waits for a pod without an owner that exists."""
    pod = an_object("Pod", "dump-1", ("Job", "dump"), phase="Failed")
    assert leftovers([pod], []) == {"dump-1": "its job dump is gone"}


def test_a_failed_job_is_a_fault_until_a_later_run_succeeds() -> None:
    """Only a later Job of the same CronJob makes up for it."""
    pod = an_object("Pod", "dump-1-x", ("Job", "dump-1"), phase="Failed")
    failed = an_object("Job", "dump-1", ("CronJob", "dump"), "08:00", conditions=FAILED)
    later = an_object("Job", "dump-2", ("CronJob", "dump"), "09:00", conditions=COMPLETE)
    earlier = an_object("Job", "dump-0", ("CronJob", "dump"), "07:00", conditions=COMPLETE)
    other = an_object("Job", "sync-2", ("CronJob", "sync"), "09:00", conditions=COMPLETE)
    assert leftovers([pod], [failed, earlier, other]) == {}
    assert leftovers([pod], [failed, later]) == {"dump-1-x": "job dump-2 has succeeded since"}


def test_an_evicted_pod_of_a_replica_set_is_replaced_and_a_running_one_is_judged() -> None:
    """A pod that runs or waits is never a leftover."""
    evicted = an_object("Pod", "web-1", ("ReplicaSet", "web"), phase="Failed", reason="Evicted")
    waiting = an_object("Pod", "web-2", ("ReplicaSet", "web"), phase="Pending")
    assert leftovers([evicted, waiting], []) == {"web-1": "replaced by another pod"}
