"""Draw the layers that import-linter enforces, as the picture of docs/architecture.md.

Run it as `python -m scripts.architecture`; a test fails when the picture or its description is stale.
"""

from __future__ import annotations

import re
import tomllib
from math import ceil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "images" / "layers.svg"
BEGIN, END = "<!-- written by scripts/architecture.py -->\n", "<!-- end of diagram -->\n"
#: Sizes in pixels: the picture, the space between boxes and around them, a line of text; boxes side by side.
WIDTH, GAP, LINE, MOST = 680, 10, 17, 3
# White behind everything, so that it can be read on a dark page as well.
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    ' font-family="sans-serif" font-size="12" text-anchor="middle" fill="#1f2328">\n'
    '<rect width="100%" height="100%" rx="8" fill="#ffffff"/>'
)


def layers(pyproject: str) -> dict[str, list[list[str]]]:
    """The layers of each package that has a contract, from top to bottom; modules of one layer side by side."""
    contracts: list[dict[str, Any]] = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    found: dict[str, list[list[str]]] = {}
    for contract in contracts:
        if contract["type"] == "layers":
            rows = [[name.strip(" ()") for name in re.split("[|:]", layer)] for layer in contract["layers"]]
            found |= dict.fromkeys(contract.get("containers", []), rows)
    return found


def picture(pyproject: str) -> str:
    """An SVG: one band per layer, arrows in the allowed direction of imports; inner layers are in their package."""
    found = layers(pyproject)
    parts, top = list[str](), GAP
    for number, names in enumerate(found["responder"]):
        if number:
            parts.append(f'<text x="{WIDTH // 2}" y="{top + LINE - 4}" fill="#59636e">↓</text>')
            top += LINE + 4
        begin, each = top, ceil(len(names) / ceil(len(names) / MOST))
        boxes = list[str]()
        top += GAP
        for line in (names[at : at + each] for at in range(0, len(names), each)):
            labels = [[name, *(" · ".join(row) for row in found.get(f"responder.{name}", []))] for name in line]
            height = LINE * max(map(len, labels)) + GAP
            width = (WIDTH - 3 * GAP) // each - GAP
            left = (WIDTH - len(line) * (width + GAP) + GAP) // 2
            for at, texts in enumerate(labels):
                boxes += _box(left + at * (width + GAP), top, width, height, texts)
            top += height + GAP
        parts.append(
            f'<rect x="{GAP}" y="{begin}" width="{WIDTH - 2 * GAP}" height="{top - begin}" rx="6" fill="#eef2f7"/>'
        )
        parts += boxes
    return "\n".join([HEAD.format(width=WIDTH, height=top + GAP), *parts, "</svg>", ""])


def _box(left: int, top: int, width: int, height: int, texts: list[str]) -> list[str]:
    """A package with its name, and its inner layers below."""
    box = f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="4" fill="#ffffff" stroke="#8c959f"/>'
    bold = ' font-size="14" font-weight="bold"'
    lines = [
        f'<text x="{left + width // 2}" y="{top + LINE * number + 19}"{"" if number else bold}>{text}</text>'
        for number, text in enumerate(texts)
    ]
    return [box, *lines]


def page(text: str, pyproject: str) -> str:
    """The text of the page with the picture and its description between the marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    order = "; ".join(", ".join(names) for names in layers(pyproject)["responder"])
    return f"{before}{BEGIN}\n![Layers, from top to bottom: {order}](images/layers.svg)\n\n{END}{after}"


def write() -> None:
    """Write the picture and the page."""
    pyproject = (ROOT / "pyproject.toml").read_text()
    PICTURE.write_text(picture(pyproject))
    PAGE.write_text(page(PAGE.read_text(), pyproject))


if __name__ == "__main__":
    write()
