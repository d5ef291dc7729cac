"""`--help`: what it must not load."""

import subprocess
import sys

WALK = """
import sys, click
from responder.cli import main

def visit(command):
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            visit(command.get_command(context, name))

visit(main)
own = {f"responder.{each}" for each in ("rulebook", "engine", "store", "web")}
heavy = {"sqlalchemy", "pydantic", "flask", "gunicorn", "httpx", *own}
print(sorted(heavy & sys.modules.keys()))
"""


def test_help_of_no_command_loads_what_the_command_needs() -> None:
    """The help of each command is instant: to import all commands loads no database, rules, server or HTTP client."""
    done = subprocess.run([sys.executable, "-c", WALK], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
