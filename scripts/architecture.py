"""Draw the layers that import-linter enforces, as the Mermaid diagram of docs/architecture.md.

Run it as `python -m scripts.architecture`; a test fails when the page is stale.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- written by scripts/architecture.py -->\n", "<!-- end of diagram -->\n"


def layers(pyproject: str) -> dict[str, list[list[str]]]:
    """The layers of each package that has a contract, from top to bottom; modules of one layer side by side."""
    contracts: list[dict[str, Any]] = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    found: dict[str, list[list[str]]] = {}
    for contract in contracts:
        if contract["type"] == "layers":
            rows = [[name.strip(" ()") for name in re.split("[|:]", layer)] for layer in contract["layers"]]
            found |= dict.fromkeys(contract.get("containers", []), rows)
    return found


def diagram(pyproject: str) -> str:
    """A flowchart: one row per layer, arrows in the allowed direction of imports; inner layers are in their package."""
    found = layers(pyproject)
    lines = ["```mermaid", "flowchart TB"]
    rows = found["responder"]
    for number, names in enumerate(rows):
        lines.append(f'  subgraph layer{number}[" "]')
        lines.append("    direction LR")
        lines += [f'    {name}["{_label(name, found)}"]' for name in names]
        lines.append("  end")
    lines += [f"  layer{number} --> layer{number + 1}" for number in range(len(rows) - 1)]
    return "\n".join([*lines, "```", ""])


def _label(name: str, found: dict[str, list[list[str]]]) -> str:
    inner = found.get(f"responder.{name}", [])
    return "<br>".join([f"<b>{name}</b>", *(" · ".join(names) for names in inner)])


def page(text: str, pyproject: str) -> str:
    """The text of the page with the diagram between the marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + diagram(pyproject) + END + after


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), (ROOT / "pyproject.toml").read_text()))
