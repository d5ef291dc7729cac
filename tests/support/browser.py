"""Debian's Chromium, driven by Playwright: a page with what a browser complained about and which hosts it asked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"


@dataclass(slots=True)
class Visit:
    """An open page. ``complaints`` are its console messages and errors, ``hosts`` where requests went."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield found
        finally:
            found.close()


@contextlib.contextmanager
def visit(browser: Browser, width: int, scheme: str = "light", **options: Any) -> Iterator[Visit]:
    """An empty page of its own context; ``options`` are those of Playwright's contexts."""
    height = 844 if width < 500 else 900
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)  # type: ignore[arg-type]
    try:
        found = Visit(context.new_page())
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("request", lambda request: found.hosts.add(urlsplit(request.url).hostname or ""))
        yield found
    finally:
        context.close()
