"""The description and the addresses of the package."""

import tomllib
from pathlib import Path

from scripts.package import ROOT, description, lay_out


def test_a_package_without_a_public_address_names_none(tmp_path: Path) -> None:
    """Nothing on the page of a package index leads nowhere: no address, no picture and no link into the repository."""
    lay_out(tmp_path / "source")
    text = (tmp_path / "source/README.md").read_text()
    assert "](" not in text
    assert "pipx install alertmanager-responder" in text
    assert "## Quick start" in text
    assert "urls" not in tomllib.loads((tmp_path / "source/pyproject.toml").read_text())["project"]


def test_links_lead_to_the_public_address() -> None:
    """Pictures and links of the description are those of the version in the repository."""
    text = description((ROOT / "README.md").read_text(), "https://git.example.com/responder")
    assert text.count("](https://git.example.com/responder/raw/v") == 1
    assert text.count("](https://git.example.com/responder/blob/v") == text.count("](https:") - 1
    assert text.count("](") == text.count("](https:")
