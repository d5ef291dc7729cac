"""Work that is spread over processes gives what it gives in one."""

from __future__ import annotations

import os

from responder.cli.parallel import FEW, spread


def test_results_come_in_order_however_many_there_are() -> None:
    """A dry-run of ten thousand alerts reads as ten thousand dry-runs of one."""
    offset = 3  # a closure: it cannot be copied to another process, only inherited
    for count in (0, 1, FEW - 1, FEW, 3 * FEW + 7):
        assert list(spread(lambda piece: piece + offset, range(count))) == list(range(3, count + 3))


def test_many_pieces_are_made_by_several_processes() -> None:
    """Long work uses the machine."""
    makers = set(spread(lambda _piece: os.getpid(), range(10 * FEW)))
    assert (os.getpid() in makers) is (os.cpu_count() == 1)
