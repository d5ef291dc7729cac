"""The check that an address is free."""

from __future__ import annotations

import socket
import threading

import pytest

from responder.cli.errors import FatalError
from responder.cli.listening import refuse_used_port


def test_a_port_in_use_is_refused_with_what_to_do() -> None:
    """The sentence names the address, the command that finds the process, and the setting."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        listen = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(FatalError, match=r"cannot listen on .*in use.*ss -ltnp.*set RESPONDER_CONSOLE_LISTEN"):
            refuse_used_port(listen, "RESPONDER_CONSOLE_LISTEN")
    refuse_used_port(listen, "RESPONDER_CONSOLE_LISTEN")


def test_a_port_that_becomes_free_in_time_is_taken() -> None:
    """A console whose `serve` was killed ends by itself: the next `serve` waits for its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        timer = threading.Timer(0.5, server.close)
        timer.start()
        refuse_used_port(f"127.0.0.1:{server.getsockname()[1]}", "RESPONDER_CONSOLE_LISTEN", 20.0)
        timer.join()
