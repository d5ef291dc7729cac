"""Signatures: the line of a log that says why a program failed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from responder.diagnose.cluster.signature import recent, signature


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "2026/11/30 08:00:01 main.go:41: required key A_KEY missing value",
            "main.go:41: required key A_KEY missing value",
        ),
        (
            'time=2026-11-30T08:00:01Z level=ERROR msg="not paid" err="Post \\"http://ledger:80/tx\\": timeout"',
            'not paid: Post "http://ledger:80/tx": timeout',
        ),
        (
            'E1130 08:00:01.123456       1 le.go:3] no lock: leases.c "foo" is forbidden: User "a" cannot get',
            'leases.c "foo" is forbidden: User "a" cannot get',
        ),
        ("2026-11-30 08:40:03.011 UTC [29] PANIC:  could not write: No space left", "could not write: No space left"),
        (
            '2026-11-30T08:40:00Z [ERROR] auth: error="Error making API request.\\n\\nCode: 403" backoff=4m',
            "Error making API request. Code: 403",
        ),
        (
            "ERROR x509: certificate has expired or is not yet valid: current time 08:50Z is before 11:02Z",
            "x509: certificate is not valid before 11:02Z",
        ),
        (
            '[7] 2026/11/30 08:40:01.123456 [INF] Starting\n[7] 2026/11/30 08:40:01.2 [FTL] unknown field "store_dir"',
            'unknown field "store_dir"',
        ),
        ("[08:40:02 WRN] Retrying\n[08:40:03 ERR] quota is used up\n[08:40:04 INF] bye", "quota is used up"),
        (
            "ERROR: Validate failed: Migrations have failed validation\nMigration checksum mismatch for migration 42",
            "Migration checksum mismatch for migration 42",
        ),
        (
            "Caused by: org.y.BindException: x\nCaused by: java.lang.IllegalArgumentException: no DB_URL",
            "IllegalArgumentException: no DB_URL",
        ),
        (
            "***\nAPPLICATION FAILED TO START\n***\n\nDescription:\n\nWeb server failed to start. Port 80 was taken.",
            "Web server failed to start. Port 80 was taken.",
        ),
        (
            "Traceback (most recent call last):\n  File 'a.py', line 3\npsycopg2.OperationalError: connection refused",
            "OperationalError: connection refused",
        ),
        ("Traceback (most recent call last):\n  File 'a.py', line 3\nKeyError: 'DB_URL'", "KeyError: 'DB_URL'"),
        ("INFO up\npanic: DATA_DIR is empty\n\ngoroutine 1 [running]:\nmain.main()", "DATA_DIR is empty"),
        (
            "thread 'main' panicked at src/main.rs:10:5:\nmissing field `url`\nnote: run with `RUST_BACKTRACE=1`",
            "missing field `url`",
        ),
        (
            "Unhandled exception. System.InvalidOperationException: no connection string\n   at Program.Main()",
            "System.InvalidOperationException: no connection string",
        ),
        ("/app/run.sh: line 3: DB_URL: unbound variable", "/app/run.sh: line 3: DB_URL: unbound variable"),
        (
            'nginx: [emerg] host not found in upstream "api" in /etc/nginx/nginx.conf:12',
            'nginx: [emerg] host not found in upstream "api" in /etc/nginx/nginx.conf:12',
        ),
        (
            "F1130 09:12:46.000100       1 main.go:121] caches did not sync",
            "caches did not sync",
        ),
        ('{"level":"fatal","msg":"license has expired"}', "license has expired"),
        ('level=error msg="lock is held" attempt=3', "lock is held"),
        (
            "INFO could not find optional file, using defaults\nFATAL license file has expired",
            "license file has expired",
        ),
        ("WARN could not reach cache:6379\nINFO bye", "could not reach cache:6379"),
        ("INFO checked, 0 errors\nINFO failover ok\nINFO done", ""),
        ("INFO request failed to be slow: 12 ms", ""),
    ],
)
def test_the_line_that_says_why(log: str, said: str) -> None:
    """Each runtime has its own last words; counts of errors and messages of a harmless level are none."""
    assert signature(log.splitlines()) == said


def test_a_warning_counts_where_a_program_waits() -> None:
    """A program that is up but not ready writes warnings only."""
    lines = ["WARN  Health contributor kafka: Topic histories.v2 not present"]
    assert signature(lines) == ""
    assert signature(lines, warnings=True) == "Health contributor kafka: Topic histories.v2 not present"


def test_old_lines_do_not_count() -> None:
    """A quiet log still holds the errors of last week; lines without a time stay."""
    lines = ["2026-11-23T09:00:00.123456789Z ERROR old", "2026-11-30T08:59:00Z INFO new", "\tat com.example.A"]
    assert recent(lines, datetime(2026, 11, 30, 8, 30, tzinfo=UTC)) == lines[1:]
