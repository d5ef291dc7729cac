"""``responder console``: the pages for people and the read API, in a process of their own."""

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.acting import login
from responder.cli.errors import FatalError, named_failures
from responder.cli.listening import is_loopback, refuse_used_port
from responder.cli.options import CONFIG

if TYPE_CHECKING:
    from responder.settings import Settings

#: Request threads: a page takes milliseconds, and open tabs occupy none.
_THREADS = 8
#: Added niceness beside `serve`: where processor time is short, webhooks and pages come before open tabs.
BESIDE_SERVE = 10
_NO_SIGN_IN = (
    "the console has no sign-in: set RESPONDER_CONSOLE_USERS, RESPONDER_CONSOLE_OIDC_ISSUER, or"
    " RESPONDER_CONSOLE_PROXY_HEADER behind a reverse proxy, or, to try it on this machine only, use --insecure"
)
_NO_AUTHLIB = "RESPONDER_CONSOLE_OIDC_ISSUER needs the package authlib: pip install 'alertmanager-responder[oidc]'"


@click.command()
@CONFIG
@click.option("--listen", metavar="ADDRESS:PORT", help="Address to listen on. [default: RESPONDER_CONSOLE_LISTEN]")
@click.option("--insecure", is_flag=True, help="Require no sign-in, on loopback only.")
@click.option("--hash", "hashing", is_flag=True, help="Ask for a password, print its hash for RESPONDER_CONSOLE_USERS.")
@click.option("--parent", type=int, hidden=True, help="Stop when this process, which started it, has ended.")
def console(*, listen: str | None, insecure: bool, hashing: bool, parent: int | None) -> None:
    """Serve the console: pages for people, and the read API.

    Reads the database of `serve`; actions are rows that `serve` applies. `serve` starts it itself where
    RESPONDER_CONSOLE_LISTEN is set.

    Exit status: 0 after a clean stop, 1 for invalid settings, 2 for a wrong command line.
    """
    if hashing:
        from werkzeug.security import generate_password_hash

        click.echo(
            generate_password_hash(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
        )
        return
    with named_failures():
        options = {"console_listen": listen, "console_auth": "none" if insecure else None}
        settings = bootstrap.settings_from_environment({name: value for name, value in options.items() if value})
        check(settings)
        refuse_used_port(settings.console_listen, "RESPONDER_CONSOLE_LISTEN")
        _run(settings, parent)


def check(settings: "Settings") -> None:
    """Raise FatalError if the console may not start with these settings."""
    listen = settings.console_listen
    if not listen:
        raise FatalError("no address for the console: use --listen 127.0.0.1:8081, or set RESPONDER_CONSOLE_LISTEN")
    if settings.console_auth == "none":
        if not is_loopback(listen):
            raise FatalError(f"a console without sign-in may listen on loopback only, not on {listen}")
        return
    if settings.console_oidc_issuer and find_spec("authlib") is None:
        raise FatalError(_NO_AUTHLIB)
    if not (settings.console_users.reveal() or settings.console_oidc_issuer or settings.console_proxy_header):
        raise FatalError(_NO_SIGN_IN)


def _run(settings: "Settings", parent: int | None) -> None:
    import structlog

    from responder import telemetry

    telemetry.configure(settings.log_format, settings.secrets())
    with bootstrap.database(settings):  # the schema must be there: the console creates and migrates nothing
        pass
    if parent is not None:
        os.nice(BESIDE_SERVE)
    structlog.get_logger().info("console.start", url=f"http://{settings.console_listen}/")
    _application(settings, parent).run()


def _application(settings: "Settings", parent: int | None) -> Any:
    from gunicorn.arbiter import Arbiter

    from responder.bootstrap.console import console_app
    from responder.cli.gunicorn_app import QuietServer

    class Master(Arbiter):
        """gunicorn's master, except that it ends with the process that started it."""

        def manage_workers(self) -> None:
            """Keep the worker running while the starting process runs."""
            if parent is not None and os.getppid() != parent:
                self.handle_term()
            super().manage_workers()

    class Application(QuietServer):
        """One worker with threads: a console is looked at by few people."""

        def options(self) -> Mapping[str, Any]:
            """Return the options of the console."""
            return {
                "bind": settings.console_listen,
                "workers": 1,
                "threads": _THREADS,
                "keepalive": 30,
                "graceful_timeout": 5,
                "proc_name": "responder-console",
            }

        def load(self) -> Any:
            """Build the application in the worker, after the fork."""
            return console_app(settings, bootstrap.SystemClock(), _explainer(settings), login() or "local user")

        def run(self) -> None:
            """Serve until a stop signal. Statuses 3 and 4 would stop a gunicorn master that started this process."""
            try:
                Master(self).run()
            except SystemExit as ended:
                sys.exit(1 if ended.code else 0)

    return Application()


def _explainer(settings: "Settings") -> Any:
    """Return the function that explains a stored incident by the current rules; it raises LookupError."""
    from responder.model.problem import InvalidRules
    from responder.rulebook.file_state import FileStates, file_states

    @lru_cache(maxsize=1)
    def tracer(_files: FileStates) -> Any:  # until a file changes: to read the rules takes 0.3 s of processor time
        from responder.cli.rules.explain import tracer_of

        return tracer_of(settings, settings.rules, settings.runbooks, {})

    def explain(incident: str) -> str:
        from responder.cli.rules.explain import explain_stored

        try:
            known = tracer(file_states((settings.rules, settings.runbooks)))
            return click.unstyle(explain_stored(incident, settings, known))
        except (FatalError, InvalidRules, OSError) as error:
            raise LookupError(str(error)) from error

    return explain
