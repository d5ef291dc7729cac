"""Lay out the sources that wheel and sdist are built from: `python -m scripts.package FOLDER [SOURCE]`.

SOURCE is the public address of the repository, which has none that it could state itself. Where SOURCE is given, the
package names it, and the relative links and pictures of README.md lead there; otherwise both are left out, since they
are dead on a package index.
"""

import re
import sys
from pathlib import Path

from responder import __version__

ROOT = Path(__file__).resolve().parents[1]
#: Parts of README.md that consist of links into the repository.
PARTS_OF_LINKS = re.compile(r"^## (?:Documentation|Folders)\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"(!?)\[([^]]*)\]\((?!https:)([^)]+)\)\n*?")


def description(readme: str, source: str) -> str:
    """Return README.md as a package index can show it."""
    if source:
        kinds = {"!": "raw", "": "blob"}
        return LINK.sub(lambda it: f"{it[1]}[{it[2]}]({source}/{kinds[it[1]]}/v{__version__}/{it[3]})", readme)
    text = LINK.sub(lambda it: "" if it[1] else it[2], PARTS_OF_LINKS.sub("", readme))
    return re.sub(r"\n{3,}", "\n\n", text)


def lay_out(folder: Path, source: str = "") -> None:
    """Write the sources into a new folder."""
    folder.mkdir(parents=True)
    for name in ("LICENSE", "responder"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "README.md").write_text(description((ROOT / "README.md").read_text(), source))
    urls = ""
    if source:
        pages = {"Source": "", "Issues": "/issues"}
        pages |= {"Changelog": "/blob/main/CHANGELOG.md", "Documentation": "/blob/main/docs/index.md"}
        urls = "\n[project.urls]\n" + "".join(f'{name} = "{source}{path}"\n' for name, path in pages.items())
    (folder / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + urls)


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]), *sys.argv[2:])
