"""Before there is a database the answers are those that make Alertmanager try again and leave the process alive."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request

import pytest

from responder.standins.processes import free_port
from responder.web.meanwhile import Meanwhile


def ask(url: str, body: bytes | None = None) -> tuple[int, str]:
    """Status and text."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_webhooks_are_to_be_sent_again(host: str) -> None:
    """Alertmanager hears 503 with the reason, which it writes into its log, and sends the webhook again."""
    listen = f"{host}:{free_port()}"
    with Meanwhile(listen, "database: connection refused"):
        status, text = ask(f"http://{listen}/webhook/alertmanager/prod", b"x" * 1_000_000)
    assert (status, text) == (503, "not kept, send it again: database: connection refused\n")


def test_it_is_alive_and_not_ready() -> None:
    """Kubernetes sends no traffic here, and does not restart us for what another server lacks."""
    listen = f"127.0.0.1:{free_port()}"
    with Meanwhile(listen, "database: connection refused"):
        assert ask(f"http://{listen}/readyz") == (503, "database: connection refused\n")
        assert ask(f"http://{listen}/healthz") == (200, "waiting for the database\n")


def test_the_address_is_free_afterwards() -> None:
    """What serves in earnest listens at the same place a moment later."""
    listen = f"127.0.0.1:{free_port()}"
    for _ in range(2):
        with Meanwhile(listen, "away"):
            assert ask(f"http://{listen}/readyz")[0] == 503
    with pytest.raises(urllib.error.URLError):
        ask(f"http://{listen}/readyz")


def test_an_address_that_another_has_is_refused() -> None:
    """Two engines on one address are a mistake that is said at once."""
    listen = f"127.0.0.1:{free_port()}"
    with Meanwhile(listen, "away"), pytest.raises(OSError, match="in use"):
        Meanwhile(listen, "away")


def test_nobody_who_drips_a_byte_at_a_time_holds_up_the_start() -> None:
    """When the database is back we serve at once, whoever is still sending to what stood in for us."""
    port = free_port()
    over, cut = threading.Event(), threading.Event()

    def drip(client: socket.socket) -> None:
        try:
            while not over.wait(0.05):
                client.sendall(b"x")
        except OSError:
            cut.set()

    with Meanwhile(f"127.0.0.1:{port}", "away"):
        client = socket.create_connection(("127.0.0.1", port), 5)
        client.sendall(b"POST /webhook/alertmanager HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
        dripping = threading.Thread(target=drip, args=(client,), daemon=True)
        dripping.start()
    assert cut.wait(10)
    over.set()
    dripping.join(5)
    client.close()
