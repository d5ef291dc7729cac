"""PagerDuty, Slack and BUTTERFLY in a process of their own: they accept everything, take their time, keep nothing."""

from __future__ import annotations

import json
import sys

from responder.standins.server import Call, Reply, StandIn, as_json

#: Seconds, for every response.
ANSWERS_AFTER = float(sys.argv[1]) if len(sys.argv) > 1 else 0.2


class Outside(StandIn):
    """202 for PagerDuty, ok for Slack, UP for every health endpoint."""

    def answer(self, call: Call) -> Reply:
        """Response that each accepts."""
        with self.lock:
            self.calls.clear()
        self.wait(ANSWERS_AFTER)
        if call.path == "/v2/enqueue":
            return as_json(202, {"status": "success", "message": "Event processed", "dedup_key": ""})
        if call.method == "POST":
            return as_json(200, {"ok": True, "channel": "C1", "ts": "1.1", "message": {}})
        return as_json(200, {"status": "UP"})


def main() -> None:
    """Print the address, then serve until standard input ends."""
    with Outside() as outside:
        print(json.dumps({"url": outside.url, "port": outside.port}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
