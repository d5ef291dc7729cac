"""The preset rule files that ship with the program."""

from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

_ROOT: Final = files("responder") / "presets"
#: Rules for any alert, by the words in its name; written after those of the other presets.
_LAST: Final = "meaning"
#: Files with the probes that several presets use.
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "kube-prometheus": ("kubernetes-probes", "node-probes"),
    "kubernetes": ("kubernetes-probes",),
    "node": ("node-probes",),
}


def names() -> list[str]:
    """Return the names of the presets."""
    found = (entry.name.removesuffix(".yaml") for entry in _ROOT.iterdir() if entry.name.endswith(".yaml"))
    return sorted(name for name in found if name != _LAST and not name.endswith("-probes"))


def base() -> Iterator[tuple[str, str]]:
    """Yield the path inside the folder and the text of each file that every set has."""
    from responder.cli.rules.schema import text

    yield from _texts(_ROOT / "base", "")
    yield "rules/schema.json", text()


def preset_files(chosen: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the rule files of presets and their tests, like ``base``."""
    wanted = sorted({each for name in chosen for each in (name, *_NEEDS.get(name, ()))})
    for number, name in (*((20, name) for name in wanted), *([(80, _LAST)] if wanted else [])):
        for folder in ("", "tests/"):
            entry = _ROOT.joinpath(f"{folder}{name}.yaml")
            if entry.is_file():
                yield f"rules/{folder}{number}-{name}.yaml", entry.read_text("utf-8")


def _texts(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir():
            yield from _texts(each, f"{prefix}{each.name}/")
        else:
            yield f"{prefix}{each.name}", each.read_text("utf-8")
