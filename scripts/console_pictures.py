"""Take the pictures of the console for the documentation: ``python -m scripts.console_pictures [FOLDER]``.

A real ``serve`` with stand-ins receives sample alerts; Debian's Chromium opens its console and takes the pictures.
"""

import re
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from responder.cli.demo.butterfly_state import prepare_services
from responder.standins.processes import free_port
from responder.standins.stage import stage
from tests.support.browser import chromium, visit

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "images"
#: The sample alerts, the newest last.
ALERTS = (
    *("certificate", "replicas-mismatch", "kafka-lag", "node-not-ready", "resolved", "high-latency", "out-of-memory"),
    *("volume-filling", "connection-pool", "service-down"),
)
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


def main(folder: Path) -> None:
    """Write the pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    listen = f"127.0.0.1:{free_port()}"
    with (
        tempfile.TemporaryDirectory() as work,
        stage(Path(work), rules=ROOT / "rules", runbooks=ROOT / "runbooks") as here,
    ):
        prepare_services(here)
        with here.serve(console_listen=listen, console_auth="none"):
            for name in ALERTS:
                here.post((ROOT / "examples" / "alerts" / f"{name}.json").read_bytes())
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


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
