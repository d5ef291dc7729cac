"""Check of the ``runbook_url`` of alerts: broken, a runbook in the folder, or a page on the web."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum
from urllib.parse import unquote, urldefrag, urlsplit

from responder.runbooks.catalog import Runbooks

#: Concurrent requests.
AT_ONCE = 8


class LinkStatus(StrEnum):
    """State of a link. ``unchecked``: not requested, an inconclusive response, or a templated URL."""

    OK = "ok"
    MISSING = "missing"
    NOWHERE = "nowhere"
    UNCHECKED = "unchecked"


#: State of a link, and its reason.
Verdict = tuple[LinkStatus, str]

NOT_ASKED: Verdict = (LinkStatus.UNCHECKED, "not requested")


def check_link(url: str | None, runbooks: Runbooks, base: str) -> Verdict:
    """Check a link offline. ``base`` is the base URL of the runbook folder, or empty.

    A relative URL, or one below ``base``, is a file of the runbook folder with an optional #section.
    """
    if url is None or not url.strip():
        return LinkStatus.MISSING, "no runbook_url"
    if "{{" in url:
        return LinkStatus.UNCHECKED, "contains a template"
    inside = url.removeprefix(base.rstrip("/") + "/") if base else url
    if inside != url or "//" not in url.partition("#")[0].partition("?")[0]:
        return _of_ours(inside, runbooks)
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return LinkStatus.NOWHERE, "not a valid URL"
    if parts.scheme not in {"http", "https"} or not host or any(sign.isspace() for sign in url):
        return LinkStatus.NOWHERE, "not an http(s) URL"
    return NOT_ASKED


def _of_ours(path: str, runbooks: Runbooks) -> Verdict:
    file, section = urldefrag(path)
    anchors = runbooks.get(unquote(file).removeprefix("./"))
    if anchors is None:
        return LinkStatus.NOWHERE, "no such file in the runbook folder"
    if section and unquote(section) not in anchors:
        return LinkStatus.NOWHERE, "no such section in that runbook"
    return LinkStatus.OK, "in the runbook folder"


def check_all(urls: Iterable[str], check: Callable[[str], Verdict]) -> dict[str, Verdict]:
    """Return the result of ``check`` for each URL, calling it once per page regardless of sections."""
    pages = {url: urldefrag(url).url for url in urls}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(dict.fromkeys(pages.values()), pool.map(check, dict.fromkeys(pages.values())), strict=True))
    return {url: found[page] for url, page in pages.items()}


def of_status(status: int) -> Verdict:
    """Classify the response status of a GET: a redirect is ok; only 404 and 410 are broken."""
    if status in {404, 410}:
        return LinkStatus.NOWHERE, f"status {status}"
    if status < 400:
        return LinkStatus.OK, f"status {status}"
    return LinkStatus.UNCHECKED, f"status {status}"


def count_by_state(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Count the links by state."""
    counts = Counter(leads for leads, _ in verdicts)
    return {leads.value: counts[leads] for leads in LinkStatus}
