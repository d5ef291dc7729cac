"""``responder demo``: send sample alerts to a local `serve` and show the resulting pages."""

import signal
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from types import FrameType

import click

from responder import bootstrap
from responder.cli.errors import FAILED, MISUSED, named_failures
from responder.cli.example import example


@click.command()
@click.option("--once", is_flag=True, help="Exit after the examples; status 1 if an expected page is missing.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the receiver. [default: a free port]")
@click.option(
    "--examples",
    type=click.Path(path_type=Path),
    default=example("alerts"),
    help="Folder of webhook payloads to send. [default: the sample alerts that ship with responder]",
)
def demo(*, once: bool, port: int | None, examples: Path) -> None:
    """Watch sample alerts become pages, on this machine only.

    Starts stand-ins for PagerDuty, Slack, the BUTTERFLY services and Prometheus, and the real `responder serve`; sends
    it every sample payload, and shows the pages as they arrive. If Prometheus and Alertmanager are installed, a real
    alert fires as well.

    Exit status: 0, 1 if an expected page did not arrive, 2 for a wrong command line.
    """
    payloads = sorted(examples.glob("*.json"))
    if not payloads:
        click.echo(f"error: no webhook payloads (*.json) in {examples}: name a folder with --examples", err=True)
        sys.exit(MISUSED)
    for number in (signal.SIGINT, signal.SIGTERM):  # a background job of a shell starts with SIGINT ignored
        signal.signal(number, _interrupt)
    with named_failures(), tempfile.TemporaryDirectory(prefix="responder-demo-") as folder:
        sys.exit(_play(payloads, Path(folder), once=once, port=port))


def _play(payloads: list[Path], folder: Path, *, once: bool, port: int | None) -> int:
    from responder.cli.demo.cards import screen_for
    from responder.cli.demo.show import DemoSession
    from responder.cli.demo.watch import EventFeed, ServeEnded
    from responder.settings import Settings
    from responder.standins.processes import DidNotStart
    from responder.standins.stage import stage

    rules, runbooks = example("rules"), example("runbooks")
    clock = bootstrap.SystemClock()
    watch = EventFeed(screen_for(bootstrap.shown_channels(Settings()), is_terminal=sys.stdout.isatty()), clock)
    book = bootstrap.load_rules(str(rules), str(runbooks))
    try:
        with stage(folder, rules=rules, runbooks=runbooks, on_event=watch.put_event, port=port) as around:
            settings = around.read_settings()
            channels = bootstrap.channels(settings) | bootstrap.named_channels(settings, book)
            context = bootstrap.context(settings, book, channels)
            with closing(bootstrap.prober(settings, clock)) as prober:
                return DemoSession(around, watch, context, prober, clock, payloads).run(once=once)
    except (DidNotStart, ServeEnded) as error:
        click.echo(f"error: {error}", err=True)
        return FAILED
    except KeyboardInterrupt:
        watch.screen.say("\nStopped; temporary files removed.")
        return FAILED if once else 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
