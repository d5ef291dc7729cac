"""The floor of bench_page_latency.py: Flask, SQLite and httpx with the durability of a page, and nothing else.

Four commits at synchronous=FULL (payload, incident and page, findings, claim), three probes in threads, one POST.
No rules, no deduplication, no retries, no rate limit. PAGE_FLOOR_TARGETS names PagerDuty and the probed addresses.
"""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
from flask import Flask, Response, request

try:
    from pysqlite3 import dbapi2 as sqlite3
except ImportError:
    import sqlite3

PAGERDUTY, *TARGETS = os.environ["PAGE_FLOOR_TARGETS"].split()
app = Flask(__name__)
client = httpx.Client(timeout=5.0, trust_env=False)
pages, probes = ThreadPoolExecutor(8), ThreadPoolExecutor(32)
mine = threading.local()


def commit(statement: str, *values: object) -> int:
    if not hasattr(mine, "connection"):
        mine.connection = sqlite3.connect(os.environ["FLOOR_DATABASE"], isolation_level=None)
        mine.connection.execute("PRAGMA busy_timeout = 5000")
        mine.connection.execute("PRAGMA journal_mode = WAL")
        mine.connection.execute("PRAGMA synchronous = FULL")
        mine.connection.execute("CREATE TABLE IF NOT EXISTS payloads (id INTEGER PRIMARY KEY, payload BLOB)")
        mine.connection.execute(
            "CREATE TABLE IF NOT EXISTS pages (id INTEGER PRIMARY KEY, page TEXT, findings, claimed)"
        )
    return int(mine.connection.execute(statement, values).lastrowid)


def page(payload: bytes) -> None:
    group = json.loads(payload)
    event = {"routing_key": "floor", "event_action": "trigger", "dedup_key": group["groupKey"]}
    number = commit("INSERT INTO pages (page) VALUES (?)", json.dumps(event))
    findings = [f"{answer.url}: {answer.status_code}" for answer in probes.map(client.get, TARGETS)]
    commit("UPDATE pages SET findings = ? WHERE id = ?", json.dumps(findings), number)
    commit("UPDATE pages SET claimed = 1 WHERE id = ?", number)
    event |= {"payload": {"summary": "; ".join(findings), "source": "floor", "severity": "critical"}}
    client.post(f"{PAGERDUTY}/v2/enqueue", json=event).raise_for_status()


@app.get("/readyz")
def readyz() -> Response:
    commit("DELETE FROM pages WHERE id < 0")
    return Response("ok\n")


@app.post("/webhook/alertmanager")
def receive() -> Response:
    number = commit("INSERT INTO payloads (payload) VALUES (?)", request.get_data())
    pages.submit(page, request.get_data())
    return Response(f'{{"id": {number}}}\n', 202, content_type="application/json")
