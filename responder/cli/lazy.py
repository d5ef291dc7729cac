"""Command groups that import a command only when it is called."""

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """Command group with names and one-line help of commands that are not imported yet.

    ``known`` maps a command's name to its ``module:attribute`` and its help.
    """

    def __init__(self, *args: Any, known: Mapping[str, tuple[str, str]], **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.known = known

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of ``known``."""
        return list(self.known)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command; None if the name is unknown."""
        if cmd_name not in self.known:
            return None
        module, _, name = self.known[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the section of ``--help`` that lists the commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.known.items()])
