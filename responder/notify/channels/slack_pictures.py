"""Pictures in the thread of a page in Slack: the range behind the worst finding that has one.

It accompanies a channel of the kind `slack`, as a queue of its own: a page never waits for its picture, and what fails
costs the picture only. The bot needs the scope `files:write`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self
from urllib.parse import urlencode, urlsplit

from responder.model.finding import worst_first
from responder.model.message import ClaimedMessage, Request, Response
from responder.model.outcome import Continue, Delivered, Outcome, Refused, TryLater
from responder.model.report import MessageKind
from responder.model.secret import Secret
from responder.model.text import sanitize_line
from responder.notify.contract import COMPANION_SUFFIX, Channel, RateLimit, Use, per_minute
from responder.notify.render.chart import Chart, caption, chart_of
from responder.notify.render.png import png
from responder.notify.render.response import decoded, encoded, error_text, outcome_of, retry_after, text_of
from responder.notify.render.slack_messages import LIMITED, PASSING

# https://docs.slack.dev/reference/methods/files.getUploadURLExternal: tier 4, 100 a minute and more.
RATE = per_minute(60, 10)
#: Characters of a title, and of the text for people who do not see the picture (at most 1,000).
TITLE_LIMIT, ALTERNATIVE_LIMIT = 150, 900
#: Seconds until the page is looked for again: they double with each attempt up to the longest, and end after the last.
FIRST_WAIT, LONGEST_WAIT, LAST_WAIT = 2.0, 300.0, 16
#: Domains of the addresses that Slack names for an upload.
_UPLOAD_HOSTS = (".slack.com", ".slack-gov.com")


@dataclass(frozen=True, slots=True)
class SlackPictures(Channel):
    """Uploads as the bot of ``token`` into the threads of the channel whose name begins this one's."""

    token: Secret
    base_url: str
    rate_limit: RateLimit = RATE
    name: str = field(default="slack_pictures", kw_only=True)
    title: ClassVar[str] = "Slack's pictures"
    use: ClassVar[Use] = Use.COMPANION
    steps: ClassVar[Mapping[MessageKind, tuple[str, ...]]] = dict.fromkeys(MessageKind, ()) | {
        MessageKind.LATE: ("picture",)
    }

    @classmethod
    def from_settings(cls, given: Mapping[str, Any]) -> Self | None:
        """Return the companion of the channel of the settings."""
        token = given["slack_bot_token"]
        return cls(token, given["slack_api_url"], name=f"slack{COMPANION_SUFFIX}") if token.reveal() else None

    @property
    def counted_by(self) -> object:
        """The bot."""
        return self.base_url, self.token.reveal(), "files"

    def early(self, message: ClaimedMessage) -> Outcome | None:
        """Return the outcome where there is nothing to upload, or no thread yet; None to upload."""
        if _shown(message) is None:
            return Delivered()
        if message.previous.get("channel") and message.previous.get("ts"):
            return None
        if message.attempt >= LAST_WAIT:
            return Refused("the page is not in Slack, so there is no thread for its picture")
        wait = min(FIRST_WAIT * 2 ** (message.attempt - 1), LONGEST_WAIT)
        return Continue("the page is not in Slack yet", after=wait)

    def render(self, message: ClaimedMessage) -> Request:
        """Return the request for a place to upload to."""
        chart = _drawn(message)
        form = {
            "filename": f"{message.report.incident}.png",
            "length": len(png(chart)),
            "alt_txt": sanitize_line(f"{_title(message)}: {caption(chart)}", ALTERNATIVE_LIMIT),
        }
        kind = "application/x-www-form-urlencoded"
        return Request(self._url("files.getUploadURLExternal"), urlencode(form).encode(), self._headers(kind))

    def following(self, message: ClaimedMessage, responses: Sequence[Response]) -> Request | None:
        """Return the picture for the place that Slack named, then the request that shows it in the thread."""
        place, number = decoded(responses[0]), text_of(decoded(responses[0]).get("file_id"))
        url = text_of(place.get("upload_url"))
        if place.get("ok") is not True or not number or not self._is_slack(url):
            return None
        if len(responses) == 1:
            return Request(url, png(_drawn(message)), {"Content-Type": "image/png"})
        if len(responses) > 2 or responses[1].status != 200:
            return None
        body = {
            "files": [{"id": number, "title": _title(message)}],
            "channel_id": message.previous["channel"],
            "thread_ts": message.previous["ts"],
            "initial_comment": caption(_drawn(message)),
        }
        return Request(
            self._url("files.completeUploadExternal"), encoded(body), self._headers("application/json; charset=utf-8")
        )

    def read(self, message: ClaimedMessage, response: Response) -> Outcome:
        """Return the outcome of the last request that was made. Slack's ``ok`` decides, not the status."""
        outcome = outcome_of(message, response, "", (self.token,))
        if not isinstance(outcome, Delivered):
            return outcome
        answer = decoded(response)
        if answer.get("ok") is True and "upload_url" not in answer:
            return Delivered()
        if answer.get("ok") is True:
            return Refused("Slack named no address of its own for the upload")
        error = text_of(answer.get("error"))
        if not error:
            return TryLater("HTTP 200 without Slack's own response", retry_after(message, response))
        more = text_of(answer.get("needed"))
        reason = error_text(f"Slack: {error}", f"add the scope {more}" if more else "", (self.token,))
        if error not in PASSING:
            return Refused(reason)
        return TryLater(reason, retry_after(message, response), limited=error in LIMITED)

    def _url(self, method: str) -> str:
        return f"{self.base_url.rstrip('/')}/{method}"

    def _headers(self, kind: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token.reveal()}", "Content-Type": kind}

    def _is_slack(self, url: str) -> bool:
        """Return True if an address for an upload is Slack's, or of the server that the settings name."""
        try:
            given, own = urlsplit(url), urlsplit(self.base_url)
            host = given.hostname or ""
        except ValueError:
            return False
        same = (given.scheme, given.netloc) == (own.scheme, own.netloc)
        return same or (given.scheme == "https" and "@" not in given.netloc and host.endswith(_UPLOAD_HOSTS))


def _shown(message: ClaimedMessage) -> tuple[str, Chart] | None:
    """Return the headline and the range of the worst finding that has one."""
    for each in worst_first(message.report.findings):
        if (chart := chart_of(each, message.report.started_at)) is not None:
            return each.headline, chart
    return None


def _drawn(message: ClaimedMessage) -> Chart:
    found = _shown(message)
    if found is None:
        raise ValueError("no finding has a range")
    return found[1]


def _title(message: ClaimedMessage) -> str:
    found = _shown(message)
    return sanitize_line(found[0] if found else message.report.title, TITLE_LIMIT)
