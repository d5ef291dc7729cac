"""The range behind a finding as PNG: lines on a white ground, without a library. Pure."""

import struct
import zlib
from collections.abc import Iterable, Iterator
from itertools import pairwise

from responder.notify.render.chart import Chart, shape

#: Size in pixels; Slack shows a picture at most 720 wide in a thread.
WIDTH, HEIGHT, MARGIN = 720, 240, 12
#: Colours by number: ground, frame, moment of the alert, threshold, values.
_PALETTE = ((255, 255, 255), (205, 208, 212), (110, 118, 128), (190, 40, 30), (11, 92, 173))
_GROUND, _FRAME, _FIRED, _THRESHOLD, _LINE = range(len(_PALETTE))
#: Pixels of a dash of the threshold, and of the gap behind it.
_DASH = 8


def png(chart: Chart) -> bytes:
    """Return the chart as a PNG: its values, the threshold dashed, and a vertical line where the alert fired."""
    lines = shape(chart, WIDTH, HEIGHT, MARGIN)
    rows = [bytearray(WIDTH) for _ in range(HEIGHT)]
    _draw(rows, ((x, y) for x in range(WIDTH) for y in (0, HEIGHT - 1)), _FRAME)
    _draw(rows, ((x, y) for y in range(HEIGHT) for x in (0, WIDTH - 1)), _FRAME)
    if lines.fired is not None:
        _draw(rows, ((round(lines.fired), y) for y in range(HEIGHT)), _FIRED, 2)
    if lines.threshold is not None:
        _draw(rows, ((x, round(lines.threshold)) for x in range(WIDTH) if x // _DASH % 2 == 0), _THRESHOLD, 2)
    for one, other in pairwise(lines.line):
        _draw(rows, _between(one, other), _LINE, 3)
    return _file(rows)


def _between(one: tuple[float, float], other: tuple[float, float]) -> Iterator[tuple[int, int]]:
    """Yield the pixels of a line."""
    (x, y), (far_x, far_y) = one, other
    count = max(1, round(max(abs(far_x - x), abs(far_y - y))))
    for number in range(count + 1):
        part = number / count
        yield round(x + part * (far_x - x)), round(y + part * (far_y - y))


def _draw(rows: list[bytearray], pixels: Iterable[tuple[int, int]], colour: int, wide: int = 1) -> None:
    for x, y in pixels:
        for row in rows[max(0, y - wide // 2) : y - wide // 2 + wide]:
            left = max(0, x - wide // 2)
            right = min(WIDTH, x - wide // 2 + wide)
            row[left:right] = bytes([colour]) * (right - left)


def _file(rows: list[bytearray]) -> bytes:
    """Return an indexed PNG of eight bits (https://www.w3.org/TR/png-3/): each row begins with its filter, none."""
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 3, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 6)
    palette = b"".join(map(bytes, _PALETTE))
    parts = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
