"""Uploads of files to Slack in three calls: a place, the bytes, the share in a channel or thread.

https://docs.slack.dev/messaging/working-with-files
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from responder.standins.server import Reply


@dataclass(slots=True)
class UploadedFile:
    """A file. ``shared`` is the channel and the thread, None until it is shared."""

    id: str
    name: str
    length: int
    data: bytes | None = None
    shared: tuple[str, str] | None = None


class Files:
    """``files`` are those for which a place was asked, by id."""

    def __init__(self, base: Callable[[], str]) -> None:
        self.files: dict[str, UploadedFile] = {}
        self._base = base
        self._lock = threading.Lock()

    def reserve(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of files.getUploadURLExternal."""
        name, length = str(body.get("filename", "")), str(body.get("length", ""))
        if not name or not length.isdigit() or int(length) == 0:
            return {"error": "invalid_arguments"}
        with self._lock:
            found = UploadedFile(f"F{len(self.files) + 1:08}", name, int(length))
            self.files[found.id] = found
        return {"upload_url": f"{self._base()}/upload/{found.id}", "file_id": found.id}

    def receive(self, name: str, data: bytes) -> Reply:
        """Return the response to the post of the bytes."""
        with self._lock:
            found = self.files.get(name)
            if found is None or found.data is not None or len(data) != found.length:
                return Reply(400, b"bad upload")
            found.data = data
        return Reply(200, f"OK - {len(data)}".encode())

    def complete(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the result of files.completeUploadExternal: a channel is an id, a thread its parent's ts."""
        given, channel = body.get("files"), str(body.get("channel_id", ""))
        if not isinstance(given, list) or not given:
            return {"error": "invalid_arguments"}
        if channel and not channel.startswith("C"):
            return {"error": "invalid_channel"}
        with self._lock:
            found = [self.files.get(str(each.get("id", ""))) for each in given if isinstance(each, Mapping)]
            known = [each for each in found if each is not None and each.data is not None]
            if len(known) < len(given):
                return {"error": "file_not_found"}
            for each in known:
                each.shared = (channel, str(body.get("thread_ts", "")))
        return {"files": [{"id": each.id, "title": each.name} for each in known]}
