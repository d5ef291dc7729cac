"""The page about the architecture is drawn from what is enforced."""

from __future__ import annotations

import os

from scripts.architecture import PAGE, ROOT, diagram, page


def test_the_diagram_shows_the_enforced_layers() -> None:
    """A layer that is added or moved in pyproject.toml shows in the diagram."""
    pyproject = (ROOT / "pyproject.toml").read_text()
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(page(PAGE.read_text(), pyproject))
    assert page(PAGE.read_text(), pyproject) == PAGE.read_text(), "stale: run python -m scripts.architecture"


def test_inner_layers_stand_in_their_package() -> None:
    """The layers inside a package are drawn from the contract of that package."""
    text = """
[[tool.importlinter.contracts]]
type = "layers"
containers = ["responder"]
layers = ["cli", "web | engine"]
[[tool.importlinter.contracts]]
type = "layers"
containers = ["responder.engine"]
layers = ["jobs", "workers | simulation"]
[[tool.importlinter.contracts]]
type = "forbidden"
"""
    drawn = diagram(text)
    assert 'engine["<b>engine</b><br>jobs<br>workers · simulation"]' in drawn
    assert "layer0 --> layer1" in drawn
