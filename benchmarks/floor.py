"""The floor: a Flask receiver of forty lines that only inserts the payload, without any check."""

from __future__ import annotations

import os
import threading
import time

from flask import Flask, Response, request

try:
    from pysqlite3 import dbapi2 as sqlite3
except ImportError:
    import sqlite3

app = Flask(__name__)
mine = threading.local()


def connection() -> sqlite3.Connection:
    if not hasattr(mine, "connection"):
        mine.connection = sqlite3.connect(os.environ["FLOOR_DATABASE"], isolation_level=None)
        mine.connection.execute("PRAGMA busy_timeout = 5000")
        mine.connection.execute("PRAGMA journal_mode = WAL")
        mine.connection.execute("PRAGMA synchronous = FULL")
        mine.connection.execute("CREATE TABLE IF NOT EXISTS notifications (id INTEGER PRIMARY KEY, at REAL, body BLOB)")
    return mine.connection


@app.get("/readyz")
def readyz() -> Response:
    connection()
    return Response("ok\n")


@app.post("/webhook/alertmanager")
def receive() -> Response:
    statement = "INSERT INTO notifications (at, body) VALUES (?, ?)"
    number = connection().execute(statement, (time.time(), request.get_data())).lastrowid
    return Response(f'{{"id": {number}}}\n', 202, content_type="application/json")
