"""Parallel map over all processors, with results in order."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain, islice
from multiprocessing import get_context
from typing import Any, TypeVar

#: Pieces below which starting processes takes longer than it saves.
FEW = 500
#: Pieces of work that a process takes at a time.
_CHUNK = 100

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")


def spread(make: Callable[[_Piece], _Result], pieces: Iterable[_Piece]) -> Iterator[_Result]:
    """Apply ``make`` to each piece, in order; in forked processes from FEW pieces on. The caller must have no threads.

    ``make`` is inherited through the fork, so it need not be picklable; pieces and results are pickled.
    """
    rest = iter(pieces)
    first = list(islice(rest, FEW))
    if len(first) < FEW or (os.cpu_count() or 1) == 1:
        yield from map(make, chain(first, rest))
        return
    gc.freeze()  # garbage collection would copy the pages shared with the parent
    with ProcessPoolExecutor(os.cpu_count(), get_context("fork"), _remember, (make,)) as pool:
        for made in pool.map(_make_all, _chunks(chain(first, rest))):
            yield from made


def _chunks(pieces: Iterator[_Piece]) -> Iterator[list[_Piece]]:
    while chunk := list(islice(pieces, _CHUNK)):
        yield chunk


_MAKE: list[Callable[[Any], Any]] = []


def _remember(make: Callable[[Any], Any]) -> None:
    _MAKE[:] = [make]


def _make_all(pieces: Sequence[Any]) -> list[Any]:
    return [_MAKE[0](piece) for piece in pieces]
