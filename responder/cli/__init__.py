"""The command line. Each group lives in its own file and is imported only when it is called: `--help` is instant."""

from __future__ import annotations

import gc
from collections.abc import Mapping

import click

from responder import __version__
from responder.cli.lazy import LazyGroup

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("responder.cli.serve:serve", "Receive webhooks, triage, diagnose and page."),
    "demo": ("responder.cli.demo:demo", "Watch sample alerts become pages, on this machine only."),
    "dry-run": ("responder.cli.dry_run:dry_run", "Show what webhook bodies would do, without doing it."),
    "rules": ("responder.cli.rules:rules", "Check, explain and prove the rule files."),
    "backtest": ("responder.cli.backtest:backtest", "Replay the past through changed rules."),
    "init": ("responder.cli.init:init", "Write a commented set of rules to start from."),
    "health": ("responder.cli.health:health", "Ask every service of the catalogue how it is."),
    "messages": ("responder.cli.messages:messages", "List, show and resend what people are told."),
    "replay": ("responder.cli.replay:replay", "Put a kept webhook body through again."),
    "db": ("responder.cli.db:db", "See what the database holds, prune it, copy it."),
    "doctor": ("responder.cli.doctor:doctor", "Check everything a page needs, and say what to change."),
    "rejects": ("responder.cli.rejects:rejects", "Read the bodies that were refused."),
}

_COLLECT_AFTER = 50_000
"""New objects before the collector looks for cycles: most commands build one large tree of rules and end."""


class _Commands(LazyGroup):
    known = _COMMANDS


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="responder")
def main() -> None:
    """The triage engine between Prometheus Alertmanager and the people on call.

    Settings come from the environment; `responder serve --settings` lists them all.
    """
    gc.set_threshold(_COLLECT_AFTER)
