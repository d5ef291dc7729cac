"""Where the ``runbook_url`` of an alert leads: nowhere, to a runbook of ours, or to a page that can be asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from urllib.parse import unquote, urldefrag, urlsplit

from responder.runbooks.catalogue import Runbooks

AT_ONCE = 8
"""Pages asked for at a time."""


class LinkStatus(StrEnum):
    """``unchecked`` is a page that was not asked for or did not say, or an address that an alert fills in."""

    OK = "ok"
    MISSING = "missing"
    NOWHERE = "nowhere"
    UNCHECKED = "unchecked"


Verdict = tuple[LinkStatus, str]
"""Where it leads, and why that is said."""

NOT_ASKED: Verdict = (LinkStatus.UNCHECKED, "not asked for")


def judge(url: str | None, runbooks: Runbooks, base: str) -> Verdict:
    """What can be said without asking anybody. ``base`` is where our own runbooks are read, or empty.

    A relative address, and one below ``base``, is a file of the runbook folder and, after #, one of its headings.
    """
    if url is None or not url.strip():
        return LinkStatus.MISSING, "no runbook_url"
    if "{{" in url:
        return LinkStatus.UNCHECKED, "a template fills it in"
    inside = url.removeprefix(base.rstrip("/") + "/") if base else url
    if inside != url or "//" not in url.partition("#")[0].partition("?")[0]:
        return _of_ours(inside, runbooks)
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return LinkStatus.NOWHERE, "not an address"
    if parts.scheme not in {"http", "https"} or not host or any(sign.isspace() for sign in url):
        return LinkStatus.NOWHERE, "not an http(s) address"
    return NOT_ASKED


def _of_ours(path: str, runbooks: Runbooks) -> Verdict:
    file, section = urldefrag(path)
    anchors = runbooks.get(unquote(file).removeprefix("./"))
    if anchors is None:
        return LinkStatus.NOWHERE, "no such file in the runbook folder"
    if section and unquote(section) not in anchors:
        return LinkStatus.NOWHERE, "no such section in that runbook"
    return LinkStatus.OK, "a runbook of ours"


def asked(urls: Iterable[str], ask: Callable[[str], Verdict]) -> dict[str, Verdict]:
    """The verdict of ``ask`` on each page, asked once however many alerts and sections lead to it."""
    pages = {url: urldefrag(url).url for url in urls}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(dict.fromkeys(pages.values()), pool.map(ask, dict.fromkeys(pages.values())), strict=True))
    return {url: found[page] for url, page in pages.items()}


def of_status(status: int) -> Verdict:
    """What an answer to a GET says: a redirection leads on; only what is not there, or never was, leads nowhere."""
    if status in {404, 410}:
        return LinkStatus.NOWHERE, f"answers {status}"
    if status < 400:
        return LinkStatus.OK, f"answers {status}"
    return LinkStatus.UNCHECKED, f"answers {status}"


def counted(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """How many lead where; together as many as there are alerts."""
    counts = Counter(leads for leads, _ in verdicts)
    return {leads.value: counts[leads] for leads in LinkStatus}
