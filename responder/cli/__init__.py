"""Command line. A command is one module, imported only when it is called, so that `--help` is instant."""

import gc
from collections.abc import Mapping

import click

from responder import __version__
from responder.cli.lazy import LazyGroup
from responder.cli.options import CONFIG

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("responder.cli.serve:serve", "Receive webhooks, triage, diagnose and page."),
    "console": ("responder.cli.console:console", "Serve pages about incidents, and the read API."),
    "demo": ("responder.cli.demo:demo", "Watch sample alerts become pages, on this machine only."),
    "dry-run": ("responder.cli.dry_run:dry_run", "Show what webhook payloads would do; nothing is sent."),
    "rules": ("responder.cli.rules:rules", "Check, explain and test the rule files."),
    "runbooks": ("responder.cli.runbooks:runbooks", "Write, list, show and check runbooks."),
    "backtest": ("responder.cli.backtest:backtest", "Replay past notifications through changed rules."),
    "init": ("responder.cli.init:init", "Write a commented starter set of rules."),
    "health": ("responder.cli.health:health", "Check the health of every service in the catalog."),
    "probe": ("responder.cli.probe:probe", "List the probes of the rules, and run one by hand."),
    "redact": ("responder.cli.redact:redact", "Print a text without secrets, as messages and logs show it."),
    "incidents": ("responder.cli.incidents:incidents", "List, show and resolve incidents."),
    "silences": ("responder.cli.silences:silences", "List, create and expire silences of incidents."),
    "messages": ("responder.cli.messages:messages", "List, show and resend messages."),
    "replay": ("responder.cli.replay:replay", "Replay a stored webhook payload."),
    "db": ("responder.cli.db:db", "Show database statistics, prune it, back it up."),
    "doctor": ("responder.cli.doctor:doctor", "Check everything a page needs; print what to fix."),
    "completion": ("responder.cli.completion:completion", "Print the script for completion in a shell."),
    "rejects": ("responder.cli.rejects:rejects", "List and show rejected payloads."),
}

#: Allocations before a garbage collection: most commands build one large tree of rules and exit.
_COLLECT_AFTER = 50_000


@click.group(
    cls=LazyGroup, known=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@CONFIG
@click.version_option(__version__, prog_name="responder")
def main() -> None:
    """Triage engine between Prometheus Alertmanager and on-call.

    Settings are environment variables, or stand in a file; `responder serve --settings` lists them.
    """
    gc.set_threshold(_COLLECT_AFTER)
