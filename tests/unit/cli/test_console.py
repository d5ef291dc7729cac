"""`responder console`: what it refuses to start with."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from responder.cli import main
from responder.cli.console import check
from responder.settings import read


@pytest.mark.parametrize(
    "listen",
    ["0.0.0.0:8081", "[::]:8081", ":8081", "10.1.2.3:8081", "localhost.example.com:8081", "127.0.0.1.nip.io:8081"],
)
def test_a_console_without_sign_in_listens_on_loopback_only(listen: str) -> None:
    """An address that others can reach is refused with --insecure, and no port is opened."""
    done = CliRunner().invoke(main, ["console", "--insecure", "--listen", listen])
    assert (done.exit_code, f"may listen on loopback only, not on {listen}" in done.stderr) == (1, True), done.output


@pytest.mark.parametrize("listen", ["127.0.0.1:8081", "localhost:8081", "[::1]:8081"])
def test_a_console_without_sign_in_needs_the_flag_on_loopback(listen: str) -> None:
    """Without a sign-in it does not start by default, on loopback either; the sentence names the ways to sign in."""
    done = CliRunner().invoke(main, ["console", "--listen", listen])
    assert (done.exit_code, "set RESPONDER_CONSOLE_USERS" in done.stderr, "--insecure" in done.stderr) == (
        1,
        True,
        True,
    )
    check(read({"RESPONDER_CONSOLE_LISTEN": listen, "RESPONDER_CONSOLE_AUTH": "none"}))


def test_a_console_needs_an_address() -> None:
    """Without one the command says which option or setting has it."""
    done = CliRunner().invoke(main, ["console", "--insecure"])
    assert (done.exit_code, "--listen 127.0.0.1:8081" in done.stderr) == (1, True), done.output
