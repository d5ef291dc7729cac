"""The only place that builds things and joins them: time, environment, randomness and paths come in here.

This is what commands need; ``workers.py`` builds the workers of ``responder serve``.
"""

from responder.bootstrap.channels import (
    channels,
    deliverer,
    deliverer_with,
    find_named_channels,
    named_channels,
    outgoing,
    prober,
    proxies,
    shown_channels,
    vendors,
)
from responder.bootstrap.environment import (
    SystemClock,
    environment,
    folders_from_environment,
    print_page,
    settings_from_environment,
)
from responder.bootstrap.rulebook import (
    READ_SECONDS,
    context,
    examine_rules,
    last_valid,
    load_changed,
    load_rules,
    loaded,
    loaded_in_place_of,
    rule_files,
    rule_references,
    try_rules,
)
from responder.bootstrap.store import (
    back_up,
    database,
    inbox,
    join_store,
    prepare_store,
    prepare_store_aside,
    retention,
)

__all__ = [
    "READ_SECONDS",
    "SystemClock",
    "back_up",
    "channels",
    "context",
    "database",
    "deliverer",
    "deliverer_with",
    "environment",
    "examine_rules",
    "find_named_channels",
    "folders_from_environment",
    "inbox",
    "join_store",
    "last_valid",
    "load_changed",
    "load_rules",
    "loaded",
    "loaded_in_place_of",
    "named_channels",
    "outgoing",
    "prepare_store",
    "prepare_store_aside",
    "print_page",
    "prober",
    "proxies",
    "retention",
    "rule_files",
    "rule_references",
    "settings_from_environment",
    "shown_channels",
    "try_rules",
    "vendors",
]
