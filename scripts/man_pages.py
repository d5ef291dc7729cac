"""Write a man page for each command: ``python -m scripts.man_pages FOLDER``."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click_man.core import generate_man_page

from responder import __version__
from responder.cli import main


def pages(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield file name and text of the man page of a command and of those below it."""
    context = click.Context(command, info_name=" ".join(path))
    below = []
    if isinstance(command, click.Group):
        known = ((name, command.get_command(context, name)) for name in command.list_commands(context))
        below = [(name, found) for name, found in known if found is not None]
    for each in (command, *(found for _, found in below)):
        # click-man would cut it inside a sentence.
        each.short_help = each.short_help or (each.help or "").partition("\n")[0].rstrip(".")
    yield f"{'-'.join(path)}.1", generate_man_page(context, __version__)
    for name, found in below:
        yield from pages(found, (*path, name))


def write(folder: Path) -> None:
    """Write every man page to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(main, ("responder",)):
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
