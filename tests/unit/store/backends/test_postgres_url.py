"""Parsing of a PostgreSQL URL, before any connection."""

from __future__ import annotations

import pytest

from responder.store.backends.postgres import parameters
from responder.store.database import Database, StoreError


def test_what_the_url_names_wins_over_our_own() -> None:
    """All parameters of libpq are accepted: several hosts, TLS, other timeouts."""
    url = "postgresql://r:p@one:5432,two:5433/x?sslmode=verify-full&connect_timeout=9&options=-csearch_path%3Dours"
    found = parameters(url, timeout=5)
    assert (found["host"], found["port"], found["sslmode"], found["connect_timeout"]) == (
        "one,two",
        "5432,5433",
        "verify-full",
        "9",
    )
    assert found["options"].endswith("-csearch_path=ours")


def test_every_wait_ends() -> None:
    """A server that is gone, stuck or read-only is detected within seconds."""
    found = parameters("postgresql://r@db/x", timeout=5)
    assert "statement_timeout=5000" in found["options"]
    assert "lock_timeout=5000" in found["options"]
    assert "idle_in_transaction_session_timeout=10000" in found["options"]
    assert (found["connect_timeout"], found["tcp_user_timeout"]) == (3, 5000)
    assert found["target_session_attrs"] == "read-write"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://r:s3%cret@db/x", "cannot be read"),
        ("postgresql://r:s3/cret@db/x", "no host and port"),
        ("postgresql://r:s3@cret@db/x", "no host and port"),
        ("postgresql://r:s3cret@db/x?sslmod=require", 'invalid URI query parameter: "sslmod"'),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str, reason: str) -> None:
    """The error for a malformed URL shows the correct form and no password."""
    with pytest.raises(StoreError, match="USER:PASSWORD@HOST") as caught:
        Database(url)
    assert reason in str(caught.value)
    assert "s3" not in str(caught.value)
    assert "cret" not in str(caught.value)


def test_another_database_is_refused() -> None:
    """MySQL is not silently taken for a file."""
    with pytest.raises(StoreError, match="sqlite:///FILE or postgresql://"):
        Database("mysql://r@db/x")
