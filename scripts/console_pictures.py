"""Take the pictures of the console and of Slack for the documentation: ``python -m scripts.console_pictures [FOLDER]``.

A real ``serve`` with stand-ins receives sample alerts; Debian's Chromium opens its console, and the page of the demo
that shows the messages of Slack's stand-in, and takes the pictures. Debian's ``fonts-noto-color-emoji`` has the emoji.
"""

import re
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import Browser

from responder.cli.demo.butterfly_state import prepare_services
from responder.standins.processes import free_port
from responder.standins.slack_page import SlackPage
from responder.standins.stage import stage
from tests.support.browser import chromium, visit

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "images"
#: The sample alerts, the newest last.
ALERTS = (
    *("certificate", "replicas-mismatch", "kafka-lag", "node-not-ready", "resolved", "high-latency", "out-of-memory"),
    *("volume-filling", "connection-pool", "service-down"),
)
#: Width of the messages of Slack, and height of the picture of a thread.
SLACK_WIDTH, THREAD_HEIGHT = 900, 900
#: Seconds that the diagnoses, and the start of the console, may take.
SETTLE_SECONDS, START_SECONDS = 6.0, 60.0
#: File, page (with the incident in place of ``ID``), width and scheme.
PICTURES = (
    ("console-open.png", "/", 1280, "light"),
    ("console-incident.png", "/incidents/ID", 1280, "light"),
    ("console-incident-phone.png", "/incidents/ID", 390, "dark"),
    ("console-runbook.png", "/runbooks/common-issues.md?incident=ID#service-down", 1280, "dark"),
)


def page_of(url: str) -> str:
    """Return a page of the console, which may still be starting."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            with urlopen(url, timeout=10) as answer:  # noqa: S310 - on loopback
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def recent(name: str) -> bytes:
    """Return a sample payload whose alerts began to fire three minutes ago."""
    text = (ROOT / "examples" / "alerts" / f"{name}.json").read_text()
    start = datetime.now(UTC) - timedelta(minutes=3)
    return re.sub(r'("startsAt": ?)"[^"]+"', rf'\1"{start.isoformat()}"', text).encode()


def slack_pictures(browser: Browser, url: str, folder: Path) -> None:
    """Write the upper half of a page in Slack, and the beginning of its thread."""
    with visit(browser, SLACK_WIDTH) as open_page:
        open_page.page.goto(url)
        found = open_page.page.locator("article", has_text="plato is down").first
        page, thread = found.bounding_box(), found.locator("details").bounding_box()
        lower = found.locator("p", has_text="Severity:").first.bounding_box()
        if page is None or thread is None or lower is None:
            raise SystemExit("Slack has no message with a thread")
        for name, top, height in (
            ("slack-page.png", page["y"], lower["y"] - page["y"]),
            ("slack-thread.png", thread["y"], min(thread["height"], THREAD_HEIGHT)),
        ):
            part = {"x": page["x"], "y": top, "width": page["width"], "height": height}
            open_page.page.screenshot(path=folder / name, full_page=True, clip=part)  # type: ignore[arg-type]
            print(folder / name)


def main(folder: Path) -> None:
    """Write the pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    listen = f"127.0.0.1:{free_port()}"
    with (
        tempfile.TemporaryDirectory() as work,
        stage(Path(work), rules=ROOT / "rules", runbooks=ROOT / "runbooks") as here,
    ):
        prepare_services(here)
        secret = here.slack.people.signing_secret
        with (
            here.serve(console_listen=listen, console_auth="none", slack_signing_secret=secret),
            SlackPage(here.slack) as slack,
        ):
            for name in ALERTS:
                here.post(recent(name))
                time.sleep(0.5)
            time.sleep(SETTLE_SECONDS)
            found = re.search(r'/incidents/(INC-\w+)"[^>]*>plato is down', page_of(f"http://{listen}/"))
            if found is None:
                raise SystemExit("the incident of the pictures did not open")
            with chromium() as browser:
                for name, path, width, scheme in PICTURES:
                    with visit(browser, width, scheme) as open_page:
                        open_page.page.goto(f"http://{listen}{path.replace('ID', found[1])}")
                        open_page.page.screenshot(path=folder / name)
                        print(folder / name)
                slack_pictures(browser, slack.url, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
