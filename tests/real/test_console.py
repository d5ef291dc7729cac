"""The console in a real browser, over a real `serve` that starts it: pages, actions, accessibility, policy."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal
from urllib.request import Request, urlopen

import pytest
from flask import Flask
from playwright.sync_api import Browser
from werkzeug.serving import make_server

from responder.bootstrap import SystemClock
from responder.outgoing import Outgoing
from responder.standins import butterfly
from responder.standins.processes import Program, free_port
from responder.standins.prometheus import SeriesSample
from responder.standins.stage import Stage, stage
from responder.store.database import Database
from responder.store.incidents import actions
from tests.real.conftest import EXAMPLES, ROOT, need, until
from tests.support.browser import chromium, visit
from tests.support.console_pages import PAGES
from tests.support.identity_provider import IdentityProvider
from tests.unit.console.conftest import INCIDENT, fill, whole_content
from tests.unit.console.test_sign_in import SECRET, an_app

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

AXE = (Path(__file__).parents[1] / "support" / "axe" / "axe.min.js").read_text()
#: The colour schemes, and the rules of axe that are run in each; none for all. Only colours depend on the scheme.
COLOUR_RULES: dict[Literal["light", "dark"], list[str]] = {
    "light": [],
    "dark": ["color-contrast", "link-in-text-block"],
}
SENT = (
    *("service-down", "high-error-rate", "hostile-labels", "hostile-text", "group-of-twenty", "resolved"),
    "unknown-alert",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A console with the sample alerts, at ``url``."""

    stage: Stage
    serve: Program
    url: str
    incident: str

    @property
    def paths(self) -> tuple[str, ...]:
        """Each page once."""
        return tuple(each.format(incident=self.incident) for each in PAGES)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests."""
    need("chromium")
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """A `serve` that starts the console, and has received the sample alerts."""
    need("chromium")
    folder, listen = tmp_path_factory.mktemp("console"), f"127.0.0.1:{free_port()}"
    with stage(folder, rules=ROOT / "rules", runbooks=ROOT / "runbooks") as here:
        here.butterfly.set("plato", butterfly.down("db", "<script>alert(1)</script>"))
        here.prometheus.set("SERVER_ERROR", SeriesSample(value=0.142, was=0.004))
        changes = {"console_listen": listen, "console_auth": "none", "console_url": f"http://{listen}"}
        changes["slack_pictures"] = "on"
        changes["alertmanager_url"] = "http://127.0.0.1:1"  # the page of a silence says that it does not answer
        with here.serve(**changes) as serve:
            for name in SENT:
                here.post((EXAMPLES / f"{name}.json").read_bytes())
            here.post(b"<script>alert(1)</script>")
            url = f"http://{listen}"
            until(lambda: answers(url), 30)
            until(lambda: here.pagerduty.open() and "plato is down" in text_of(f"{url}/"), 30)
            number = re.search(r"/incidents/(INC-\w+)\"[^>]*>[^<]*plato is down", text_of(f"{url}/"))
            assert number is not None
            yield Shown(here, serve, url, number[1])


def text_of(url: str) -> str:
    """The page of a URL."""
    with urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def answers(url: str) -> bool:
    """True if the console answers."""
    try:
        return bool(text_of(url))
    except OSError:
        return False


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("script", [True, False])
def test_each_page_fits_and_breaks_no_policy(shown: Shown, browser: Browser, width: int, script: bool) -> None:
    """No page is wider than the screen, zoomed or not, asks another host, or makes the browser complain.

    That is so in light and in dark colours.
    """
    zooms = () if not script else (1, 2, 4) if width == 1280 else (1,)
    with visit(browser, width, java_script_enabled=script) as found:
        for path in shown.paths:
            found.page.goto(f"{shown.url}{path}")
            assert found.page.locator("h1").count() == 1, path
            for zoom, scheme in product(zooms, COLOUR_RULES):
                found.page.set_viewport_size({"width": width // zoom, "height": 844})
                found.page.emulate_media(color_scheme=scheme)
                assert found.page.evaluate("document.documentElement.scrollWidth") <= width // zoom, (path, zoom)
        assert not found.complaints
        assert found.hosts == {"127.0.0.1"}


@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(shown: Shown, browser: Browser, width: int) -> None:
    """Contrast, names, landmarks and structure of each page satisfy WCAG 2.2 AA as far as axe-core can see."""
    with visit(browser, width, bypass_csp=True) as found:
        for path in shown.paths:
            found.page.goto(f"{shown.url}{path}")
            found.page.evaluate(AXE)
            for scheme, rules in COLOUR_RULES.items():
                found.page.emulate_media(color_scheme=scheme)
                result = found.page.evaluate("rules => axe.run(rules)", {"runOnly": rules} if rules else {})
                problems = [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in result["violations"]]
                assert not problems, (path, scheme, problems)


@pytest.mark.parametrize("script", [True, False])
def test_a_button_acts_on_the_real_incident(shown: Shown, browser: Browser, script: bool) -> None:
    """A note reaches the channels, with and without JavaScript, and the page shows its outcome."""
    text = f"restarted the pool, script {script}"
    with visit(browser, 390, java_script_enabled=script) as found:
        page = found.page
        page.goto(f"{shown.url}/incidents/{shown.incident}")
        page.get_by_text("Add note").click()
        page.get_by_label("Note for every notified channel").fill(text)
        page.get_by_role("button", name="Send note").click()
        assert f"(console): {text}" in page.locator(".done").inner_text()
        assert not found.complaints
    until(lambda: any(text in line for each in shown.stage.slack.messages for line in each.lines), 10)


def test_an_open_page_follows_the_incident(shown: Shown, browser: Browser) -> None:
    """Without a click a page shows, within seconds, what happened elsewhere; what was opened or ticked stays so."""
    with visit(browser, 1280) as found:
        page, every = found.page, found.page.context.new_page()
        every.goto(shown.url)
        boxes = [each for each in every.locator(".incidents input").all() if each.input_value() != shown.incident]
        for box in boxes[::2]:
            box.check()
        ticked = [each.input_value() for each in boxes[::2]]
        page.goto(f"{shown.url}/incidents/{shown.incident}")
        page.locator(".findings details:not([open]) > summary").first.click()
        opened = page.locator(".findings details[open]").count()
        with visit(browser, 390) as other:
            other.page.goto(f"{shown.url}/incidents/{shown.incident}")
            other.page.get_by_role("button", name="Acknowledge").click()
        page.wait_for_selector(".state.acknowledged", timeout=15_000)
        assert page.locator(".findings details[open]").count() == opened
        assert "acknowledged" in page.locator("#news").inner_text()
        every.wait_for_selector(".incidents .state.acknowledged", timeout=15_000)  # its row is the last one now
        assert [each.input_value() for each in every.locator(".incidents :checked").all()] == ticked
        assert not found.complaints
    until(lambda: any(each.state == "acknowledged" for each in shown.stage.pagerduty.open()), 10)


def test_the_keyboard_reaches_each_action(shown: Shown, browser: Browser) -> None:
    """Tab leads to the skip link first and to every button, with a visible focus."""
    with visit(browser, 1280) as found:
        found.page.goto(f"{shown.url}/incidents/{shown.incident}")
        reached = []
        for _ in range(80):
            found.page.keyboard.press("Tab")
            reached.append(found.page.evaluate("document.activeElement.textContent.trim().slice(0, 40)"))
            style = found.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert style != "none", reached[-1]
            if reached[-1] == "Resolve":
                break
        assert reached[0] == "Skip to content"
        assert {"Add note", "Resolve"} <= set(reached)


def test_a_copy_button_copies_the_command(shown: Shown, browser: Browser) -> None:
    """The command in the clipboard has the values of the incident."""
    with visit(browser, 1280, permissions=["clipboard-read", "clipboard-write"]) as found:
        found.page.goto(f"{shown.url}/runbooks/common-issues.md?incident={shown.incident}#service-down")
        found.page.locator("#service-down ~ .code .copy").first.click()
        copied = found.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("kubectl -n butterfly get pods -l app=plato")


def test_a_printed_incident_has_everything_but_its_buttons(shown: Shown, browser: Browser) -> None:
    """On paper each finding is open with its query; buttons, menus and forms are not there."""
    with visit(browser, 1280, "dark") as found:
        found.page.emulate_media(media="print")
        found.page.goto(f"{shown.url}/incidents/{shown.incident}")
        visible = "(each) => each.filter((one) => one.checkVisibility({contentVisibilityAuto: true})).length"
        assert found.page.locator("button, input, textarea, nav, .act, footer").evaluate_all(visible) == 0
        for part in (".findings pre", ".others li", ".timeline li", ".alerts li"):
            parts = found.page.locator(part)
            assert parts.evaluate_all(visible) == parts.count() > 0, part
        assert found.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_pagerduty_links_to_the_page_of_the_incident(shown: Shown) -> None:
    """The client URL of an event opens the incident."""
    urls = {each.body.get("client_url") for each in shown.stage.pagerduty.events if each.action == "trigger"}
    assert f"{shown.url}/incidents/{shown.incident}" in urls


def test_the_picture_of_the_range_is_in_the_thread_of_the_page(shown: Shown) -> None:
    """Slack gets the range behind the alert as a PNG, after the page and in its thread; the console draws it too."""
    slack = shown.stage.slack
    until(lambda: any(each.shared for each in slack.files.files.values()), 20)
    for picture in [each for each in slack.files.files.values() if each.shared]:
        incident = picture.name.removesuffix(".png")
        assert (picture.data or b"").startswith(b"\x89PNG")
        [page] = [each for each in slack.messages if (each.channel, each.ts) == picture.shared]
        assert any(incident in line for line in page.lines)
        assert '<polyline class="line"' in text_of(f"{shown.url}/incidents/{incident}")


def test_people_sign_in_at_a_provider_on_another_site(browser: Browser, database: Database, tmp_path: Path) -> None:
    """A link leads through the provider to its page, a second link ends no form of an open tab, and people sign out."""
    fill(database, whole_content())
    url, clock = f"http://localhost:{free_port()}", SystemClock()
    with (
        IdentityProvider(clock.now, "console", SECRET, f"{url}/login/callback") as provider,
        contextlib.closing(Outgoing(clock)) as outgoing,
    ):
        app = an_app(provider, database, outgoing, clock, tmp_path, url=url)
        with serving(app, int(url.rpartition(":")[2])), visit(browser, 390, "dark") as found:
            tab, other = found.page, found.page.context.new_page()
            tab.goto(f"{url}/incidents/{INCIDENT}")
            assert tab.url == f"{url}/incidents/{INCIDENT}"
            other.goto(f"{provider.url}/.well-known/openid-configuration")
            other.set_content(f"<a href='{url}/'>open incidents</a>")
            other.get_by_text("open incidents").click()
            other.wait_for_url(f"{url}/")
            tab.get_by_text("Add note").click()
            tab.get_by_label("Note for every notified channel").fill("by ann")
            tab.get_by_role("button", name="Send note").click()
            assert "Stored: note" in tab.locator(".done").inner_text()
            tab.get_by_text("More", exact=True).click()
            tab.get_by_role("button", name="Sign out ann@example.com").click()
            assert tab.locator("h1").inner_text() == "Signed out"
            provider.person = {"sub": "1", "email": "ann@example.org", "groups": []}
            tab.get_by_role("link", name="Sign in").click()
            assert "has no role" in tab.locator(".problem").inner_text()
            assert found.hosts == {"localhost", "127.0.0.1"}
    with database.read() as connection:
        (row,) = actions.of_incident(connection, INCIDENT)
    assert (row.action.actor, row.action.text) == ("ann@example.com", "by ann")


@contextlib.contextmanager
def serving(app: Flask, port: int) -> Iterator[None]:
    """The application on a port of loopback."""
    server = make_server("localhost", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_header_with_an_underscore_is_not_the_header(shown: Shown) -> None:
    """X_Forwarded_User would be read as X-Forwarded-User by a server that does not drop it."""
    request = Request(f"{shown.url}/", headers={"X_Forwarded_User": "root"})
    with urlopen(request, timeout=10) as answer:
        assert "root" not in answer.headers.get("X-Forwarded-User", "")


def test_serve_restarts_the_console_and_takes_it_along(shown: Shown) -> None:
    """A console that is killed is back within seconds, while serve goes on; it ends with serve."""
    [master] = children(shown.serve.process.pid, "console")
    os.kill(master, signal.SIGKILL)
    until(lambda: children(shown.serve.process.pid, "console") not in ([master], []) and answers(shown.url), 30)
    assert shown.serve.running
    shown.serve.terminate()
    until(lambda: not answers(shown.url), 30)


def children(parent: int, word: str) -> list[int]:
    """The children of a process whose command line has a word."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            ours = int((path / "stat").read_text().rpartition(")")[2].split()[1]) == parent
            if ours and word in (path / "cmdline").read_text().split("\0"):
                found.append(int(path.name))
        except OSError:
            continue
    return found
