"""``responder serve``: gunicorn workers, each with the webhook receiver and an engine."""

import faulthandler
import gc
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from responder import bootstrap
from responder.cli.console import check as check_console
from responder.cli.errors import FatalError, named_failures
from responder.cli.listening import CONSOLE_ENDS_SECONDS, is_loopback, refuse_used_port
from responder.cli.options import CONFIG, RULES
from responder.cli.table import terminal, wrapped
from responder.settings import Settings, unknown_variables

if TYPE_CHECKING:
    from responder.engine.workers.rule_reloader import LoadedRules
    from responder.model.rule import RuleBook
    from responder.notify.contract import Channel

_NO_CHANNEL = """
  NO PAGES WILL BE SENT: no channel is configured.
  Pages are printed here instead. Set, for example,
  RESPONDER_PAGERDUTY_ROUTING_KEY and RESPONDER_SLACK_BOT_TOKEN.
"""
_ADVICE = (
    "check that PostgreSQL is running and accepts connections from this host, and check user, password and database "
    "name in RESPONDER_DATABASE_URL (or in the file named by RESPONDER_DATABASE_URL_FILE)"
)
#: Problems of rule files in one line of the log.
_SHOWN = 20


@click.command()
@CONFIG
@click.option("--listen", metavar="ADDRESS:PORT", help="Address to listen on. [default: RESPONDER_LISTEN]")
@RULES
@click.option("--insecure", is_flag=True, help="Accept webhooks without authentication, on loopback only.")
@click.option("--settings", "show", is_flag=True, help="List every setting with its origin and value, and exit.")
@click.option("--check", is_flag=True, help="Check settings, rules and database, and exit.")
def serve(*, listen: str | None, rules: str | None, insecure: bool, show: bool, check: bool) -> None:
    """Receive Alertmanager's webhooks, triage, diagnose and page.

    Exit status: 0 after a clean stop, 1 for invalid rules or settings, 2 for a wrong command line.
    """
    with named_failures():
        options = {"listen": listen, "rules": rules}
        settings = bootstrap.settings_from_environment({name: value for name, value in options.items() if value})
        if show:
            _list(settings)
            return
        _require_auth(settings, insecure=insecure)
        if not check:
            refuse_used_port(settings.listen, "RESPONDER_LISTEN")
        if settings.console_listen:
            _check_console(settings, check=check)
        _serve(settings, check=check)


def _check_console(settings: Settings, *, check: bool) -> None:
    check_console(settings)
    if settings.console_listen == settings.listen:
        raise FatalError("RESPONDER_LISTEN and RESPONDER_CONSOLE_LISTEN are the same: set two ports")
    if not check:
        refuse_used_port(settings.console_listen, "RESPONDER_CONSOLE_LISTEN", CONSOLE_ENDS_SECONDS)


def _list(settings: Settings) -> None:
    rows = list(settings.rows())
    width = max(len(name) for name, _, _ in rows)
    origins = max(len(settings.origin(name)) for name, _, _ in rows)
    for name, value, text in rows:
        click.echo(f"{name:<{width}}  {settings.origin(name):<{origins}}  {value or '-'}")
        if sys.stdout.isatty():
            click.secho(f"{'':<{width}}  {wrapped(text, width + 2, terminal())}", dim=True)


def _example_addresses(book: "RuleBook") -> list[str]:
    """Return the places in the rules with an address that was only an example."""
    places = {
        f"service {each.name}": (each.health, *(link.href for link in each.dashboards))
        for each in book.services.values()
    }
    places |= {f"URL {link.text}": (link.href,) for link in book.urls}
    places |= {f"rule {rule.id}": (str(rule.runbook),) for rule in book.rules if rule.runbook and rule.runbook.is_url}
    return [
        place
        for place, urls in places.items()
        if any((urlsplit(url).hostname or "").endswith("example.com") for url in urls)
    ]


def _require_auth(settings: Settings, *, insecure: bool) -> None:
    protected = settings.webhook_token.reveal() or settings.webhook_basic_auth.reveal()
    if protected:
        return
    if not insecure:
        raise FatalError(
            "the webhook has no authentication: set RESPONDER_WEBHOOK_TOKEN (or RESPONDER_WEBHOOK_BASIC_AUTH), "
            "or, to try it on this machine only, use --insecure"
        )
    if not is_loopback(settings.listen):
        raise FatalError(
            f"--insecure allows loopback only, but RESPONDER_LISTEN is {settings.listen}: set it to 127.0.0.1:PORT"
        )


def _serve(settings: Settings, *, check: bool) -> None:
    if not check:
        gc.disable()  # until the master has frozen the objects that workers share; almost none of them is garbage
        # structlog and httpx import rich and pygments where they are installed; a server never uses them.
        for name in ("rich", "pygments"):
            sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    import structlog

    from responder import telemetry
    from responder.store.backends.errors import DatabaseUnavailable

    stream = telemetry.configure(settings.log_format, settings.secrets())
    log = structlog.get_logger()
    for sentence in unknown_variables(bootstrap.environment()):
        log.warning("settings.unknown", reason=sentence)
    for sentence in settings.short_credentials():
        log.warning("settings.short_token", reason=sentence)
    notified = bootstrap.channels(settings)
    first = _rules(settings, notified, check=check)
    book, notified = first.context.book, dict(first.context.channels)
    if first.problems:
        reason = "the rule files are invalid: the last valid revision, kept in the database, is in force"
        log.error("serve.invalid_rules", reason=reason, revision=book.revision[:12], problems=first.problems[:_SHOWN])
    _log_channels(notified)
    if examples := _example_addresses(book):
        log.warning("serve.example_addresses", reason=f"the rules have addresses at example.com: {', '.join(examples)}")
    if not settings.runbook_base_url:
        log.warning(
            "serve.no_runbook_links",
            reason="RESPONDER_RUNBOOK_BASE_URL is not set: pages have no link to the runbook",
        )
    if not settings.alertmanager_url:
        log.warning(
            "serve.no_reconciliation",
            reason="RESPONDER_ALERTMANAGER_URL is not set: an incident stays open if its resolve notification is lost",
        )
    if check:
        bootstrap.check_store(settings)
        click.echo(f"ready to serve: {len(book.rules)} rules, channels {', '.join(notified)}")
        return
    away = ""
    try:
        with bootstrap.store_prepared_aside(settings):
            import responder.cli.gunicorn_app  # noqa: F401 - takes as long as the migration
    except DatabaseUnavailable as error:
        away = str(error)
        log.warning("serve.waiting", reason=away, advice=_ADVICE)
    from responder.cli.gunicorn_app import GunicornApp

    bootstrap.join_store(settings)
    log.info(
        "serve.start",
        listen=settings.listen,
        rules=len(book.rules),
        revision=book.revision[:12],
        channels=list(notified),
    )
    GunicornApp(settings, first, away, stream).run()


def _rules(settings: Settings, channels: "dict[str, Channel]", *, check: bool) -> "LoadedRules":
    """Load the rules to start with. A file that hangs the parser ends the process after ``READ_SECONDS``.

    If the files are invalid, the last valid revision is loaded, unless there is none or a setting forbids it.
    """
    from responder.model.problem import InvalidRules

    faulthandler.dump_traceback_later(bootstrap.READ_SECONDS, exit=True)
    try:
        return bootstrap.loaded(settings, channels)
    except (InvalidRules, OSError) as error:
        strict = check or settings.invalid_rules == "refuse"
        kept = None if strict else bootstrap.loaded_in_place_of(error, settings, channels)
        if kept is not None:
            return kept
        if isinstance(error, InvalidRules):
            raise
        raise FatalError(str(error)) from error
    finally:
        faulthandler.cancel_dump_traceback_later()


def _log_channels(channels: "Mapping[str, Channel]") -> None:
    import structlog

    from responder.cli.doctor.channels import fallback_settings
    from responder.engine.jobs.fallback import ways
    from responder.notify.contract import Use

    log = structlog.get_logger()
    if all(each.use is Use.LAST_RESORT for each in channels.values()):
        click.secho(_NO_CHANNEL, fg="red", bold=True, err=True)
        log.warning("serve.no_channel", reason="no channel is configured: pages are only printed")
    elif not any(each.pages for each in channels.values()):
        log.warning("serve.no_pager", reason="no paging channel is configured: no page reaches on-call")
    elif len(ways(channels)) == 1:
        log.warning(
            "serve.no_fallback",
            reason=f"no fallback channel if a page is rejected: set {fallback_settings()}",
        )
