"""Count the files of responder/ that one P1 passes through, from the webhook to PagerDuty's 202.

Everything runs in this process, as in a worker of `responder serve`: the Flask route, triage, diagnosis, the sender,
with stand-ins for PagerDuty, Prometheus and the services. A profile function sees every call; the thread gives the
phase. Run it as `python -m scripts.count_path`.

Files that a reader can trust by name (clock, codec, text, ...) are listed in leaf_modules.txt and counted apart. Those
that only carry work from thread to thread, around every step, do not count (WIRING).
"""

from __future__ import annotations

import inspect
import logging
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from types import CodeType, FrameType

import structlog

from responder import bootstrap
from responder.bootstrap import SystemClock, workers
from responder.cli.demo.butterfly_state import prepare_services
from responder.engine.runtime import Engine
from responder.engine.workers.loop import BatchedStep, Loop
from responder.engine.workers.loop_failures import LoopFailures
from responder.engine.workers.rule_reloader import RuleReloader
from responder.settings import read
from responder.standins.stage import Stage, stage

ROOT = Path(__file__).resolve().parents[1]
#: The phase of each thread, by the beginning of its name. Timers and other threads do not count.
PHASES = {
    "MainThread": "receive",
    "triage": "triage",
    "diagnosis": "diagnose",
    "probe": "diagnose",
    "resolve": "diagnose",
    "sender": "notify",
}
#: Functions that run around every step of every worker, and decide nothing.
WIRING = {inspect.getsourcefile(each) for each in (Engine, BatchedStep, Loop, RuleReloader, SystemClock)}
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- written by scripts/count_path.py -->\n", "<!-- end of count -->\n"
LEAVES = ROOT / "scripts" / "leaf_modules.txt"
MAX_FILES, MAX_NOT_LEAVES, MAX_LEAVES = 60, 35, 25
#: Seconds without a new function after the page that end the count: the message is marked as sent meanwhile.
SETTLE_SECONDS = 1.0


class Recorder:
    """A profile function that keeps the code objects of responder/ called in each phase."""

    def __init__(self) -> None:
        self.on = False
        self.seen: dict[str, set[CodeType]] = {phase: set() for phase in PHASES.values()}
        self._product = str(ROOT / "responder")
        self._standins = str(ROOT / "responder" / "standins")

    def __call__(self, frame: FrameType, event: str, _arg: object) -> None:
        """Called by the interpreter for each call and return."""
        code = frame.f_code
        if not self.on or event != "call" or not code.co_filename.startswith(self._product):
            return
        if code.co_filename.startswith(self._standins) or code.co_filename in WIRING:
            return
        if not code.co_flags & inspect.CO_OPTIMIZED:
            return  # the body of a module or a class, which runs at import
        name = threading.current_thread().name
        for beginning, phase in PHASES.items():
            if name.startswith(beginning):
                self.seen[phase].add(code)


def files(codes: set[CodeType]) -> set[str]:
    """The files of these functions, relative to the repository."""
    return {Path(code.co_filename).relative_to(ROOT).as_posix() for code in codes}


def leaves() -> set[str]:
    """The modules of leaf_modules.txt; a package, whose name ends in a slash, is one."""
    lines = (line.partition("#")[0].strip() for line in LEAVES.read_text().splitlines())
    return {line for line in lines if line}


def without_leaves(paths: set[str]) -> set[str]:
    """The paths that no leaf module covers."""
    known = tuple(leaves())
    return {path for path in paths if not path.startswith(known)}


def record() -> dict[str, set[CodeType]]:
    """Send one P1 through a worker. Returns the functions called in each phase."""
    recorder = Recorder()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        around = stack.enter_context(stage(folder, rules=ROOT / "rules", runbooks=ROOT / "runbooks"))
        prepare_services(around)
        settings = read({name: value for name, value in around.settings.items() if "SLACK" not in name})
        bootstrap.prepare_store(settings)
        first = bootstrap.loaded(settings, bootstrap.channels(settings))
        failures = LoopFailures(bootstrap.SystemClock())
        threading.setprofile(recorder)
        sys.setprofile(recorder)
        try:
            worker = workers.worker(settings, first, folder, 0, away="", on_fatal=lambda: None, failures=failures)
            recorder.on = True
            _page(worker, around)
            _settle(recorder)
            recorder.on = False
            worker.stop()
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    if empty := [phase for phase, codes in recorder.seen.items() if not codes]:
        raise RuntimeError(f"no calls in {', '.join(empty)}: PHASES does not name its threads")
    return recorder.seen


def _page(worker: workers.Worker, around: Stage) -> None:
    body = (ROOT / "examples" / "alerts" / "service-down.json").read_bytes()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {around.token}"}
    answer = worker.app.test_client().post("/webhook/alertmanager", data=body, headers=headers)
    if answer.status_code != 202:
        raise RuntimeError(f"the webhook was answered {answer.status_code}")
    deadline = time.monotonic() + 20
    while not around.pagerduty.events:
        if time.monotonic() > deadline:
            raise RuntimeError("no page within 20 s")
        time.sleep(0.05)


def _settle(recorder: Recorder) -> None:
    known = -1
    while known != (known := sum(map(len, recorder.seen.values()))):
        time.sleep(SETTLE_SECONDS)


def table(seen: dict[str, set[CodeType]]) -> list[str]:
    """Lines of a Markdown table: files, and those that are not leaves, of each phase and in all."""
    lines = ["| phase | files | without leaves |", "|---|---|---|"]
    for name, codes in {**seen, "all": set().union(*seen.values())}.items():
        found = files(codes)
        lines.append(f"| {name} | {len(found)} | {len(without_leaves(found))} |")
    return lines


def page(text: str, lines: list[str]) -> str:
    """The text of docs/architecture.md with the table between the marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n".join(lines) + "\n" + END + after


def main() -> None:
    """Print the counts. --write: also into docs/architecture.md; --files: also the files of each phase."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    seen = record()
    known = leaves()
    print("\n".join(table(seen)))
    if "--write" in sys.argv:
        PAGE.write_text(page(PAGE.read_text(), table(seen)))
    print(
        f"Goals: at most {MAX_FILES} files, {MAX_NOT_LEAVES} without leaves; {len(known)} leaves, at most {MAX_LEAVES}."
    )
    print(f"{len(set().union(*seen.values()))} functions.")
    if "--files" in sys.argv:
        for name, codes in seen.items():
            print(f"\n{name}: files and the functions called in each")
            for path in sorted(files(codes)):
                functions = sum(1 for code in codes if code.co_filename == str(ROOT / path))
                print(f"  {path} {functions}{'' if without_leaves({path}) else ' (leaf)'}")


if __name__ == "__main__":
    main()
