"""The peer of bench_page_latency.py: asks its probes one after the other, then posts to PagerDuty. Keeps nothing."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpcore

PAGERDUTY, *PROBES = sys.argv[2:]
CLIENT = httpcore.ConnectionPool()


def page(group: dict[str, object]) -> None:
    found = [f"{address}: {CLIENT.request('GET', address).status}" for address in PROBES]
    payload = {"summary": "; ".join(found), "source": "sequential", "severity": "critical"}
    event = {"routing_key": "x", "event_action": "trigger", "dedup_key": group["groupKey"], "payload": payload}
    CLIENT.request("POST", f"{PAGERDUTY}/v2/enqueue", content=json.dumps(event).encode())


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
