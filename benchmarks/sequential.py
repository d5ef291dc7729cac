"""The peer of bench_page_latency.py: runs its probes one after the other, then posts to PagerDuty. Stores nothing."""

from __future__ import annotations

import json
import sys
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PAGERDUTY, *PROBES = sys.argv[2:]


def ask(method: str, address: str, body: bytes | None = None) -> int:
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc)
    connection.request(method, parts.path, body)
    status = connection.getresponse().status
    connection.close()
    return status


def page(group: dict[str, object]) -> None:
    found = [f"{address}: {ask('GET', address)}" for address in PROBES]
    payload = {"summary": "; ".join(found), "source": "sequential", "severity": "critical"}
    event = {"routing_key": "x", "event_action": "trigger", "dedup_key": group["groupKey"], "payload": payload}
    ask("POST", f"{PAGERDUTY}/v2/enqueue", json.dumps(event).encode())


class Handler(BaseHTTPRequestHandler):
    """Accepts a webhook and works on it in a thread."""

    def do_GET(self) -> None:
        """Ready."""
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        """A webhook."""
        group = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        threading.Thread(target=page, args=(group,)).start()
        self.send_response(202)
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
