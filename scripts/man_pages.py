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
    if not command.short_help:  # click-man would cut it inside a sentence
        command.short_help = (command.help or "").partition("\n")[0].rstrip(".")
    context = click.Context(command, info_name=" ".join(path))
    yield f"{'-'.join(path)}.1", generate_man_page(context, __version__)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            if found is not None:
                yield from pages(found, (*path, name))


def write(folder: Path) -> None:
    """Write every man page to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(main, ("responder",)):
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
