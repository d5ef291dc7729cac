"""``responder demo``: sample alerts become pages in this terminal, on this machine only."""

from __future__ import annotations

import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

import click

from responder import bootstrap
from responder.cli.errors import FAILED, MISUSED, named_failures

_ROOT = Path(__file__).resolve().parents[3]
"""The checkout: examples, rules and runbooks lie beside the package."""


@click.command()
@click.option("--once", is_flag=True, help="End after the examples, with status 1 where an expected page is missing.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the receiver. [default: any free one]")
@click.option(
    "--examples",
    type=click.Path(path_type=Path),
    default=_ROOT / "examples" / "alerts",
    help="Folder of the webhook bodies to send. [default: the sample alerts of the repository]",
)
def demo(*, once: bool, port: int | None, examples: Path) -> None:
    """Watch sample alerts become pages, on this machine only.

    Starts a PagerDuty, a Slack, a BUTTERFLY and a Prometheus that only look real, and the real `responder serve`;
    sends it every body of the examples, and shows the pages as they arrive. Where Prometheus and Alertmanager are
    installed, a real rule fires too.

    Exit status: 0, 1 where a page that was expected did not arrive, 2 for a wrong command line.
    """
    bodies = sorted(examples.glob("*.json"))
    if not bodies:
        click.echo(
            f"error: there are no webhook bodies (*.json) in {examples}: name a folder with --examples", err=True
        )
        sys.exit(MISUSED)
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell that starts it in the background has SIGINT ignored
        signal.signal(number, _interrupt)
    with named_failures(), tempfile.TemporaryDirectory(prefix="responder-demo-") as folder:
        sys.exit(_play(bodies, Path(folder), once=once, port=port))


def _play(bodies: list[Path], folder: Path, *, once: bool, port: int | None) -> int:
    from responder.cli.demo.cards import screen_for
    from responder.cli.demo.show import DemoSession
    from responder.cli.demo.watch import EventFeed, ServeEnded
    from responder.standins.processes import DidNotStart
    from responder.standins.stage import stage

    rules, runbooks = _folder("rules"), _folder("runbooks")
    clock = bootstrap.SystemClock()
    watch = EventFeed(screen_for(is_terminal=sys.stdout.isatty()), clock)
    book = bootstrap.load_rules(str(rules), str(runbooks))
    try:
        with stage(folder, rules=rules, runbooks=runbooks, on_event=watch.hear, port=port) as scene:
            settings = scene.read_settings()
            desk = bootstrap.desk(settings, book, bootstrap.channels(settings))
            prober = bootstrap.prober(settings, clock)
            try:
                return DemoSession(scene, watch, desk, prober, clock, bodies).run(once=once)
            finally:
                prober.close()
    except (DidNotStart, ServeEnded) as error:
        click.echo(f"error: {error}", err=True)
        return FAILED
    except KeyboardInterrupt:
        watch.screen.say("\nStopped; nothing is left behind.")
        return FAILED if once else 0


def _folder(name: str) -> Path:
    """The one of the repository, or of the working directory where the package was installed without it."""
    return _ROOT / name if (_ROOT / name).is_dir() else Path(name).resolve()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
