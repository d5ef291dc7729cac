"""The only place that builds things and joins them: time, environment, randomness and paths come in here.

The names below are what commands need; ``workers.py`` builds the workers of ``responder serve``.
"""

from responder.bootstrap.channels import (
    channels,
    deliverer,
    deliverer_with,
    find_named_channels,
    named_channels,
    outgoing,
    probe_once,
    prober,
    proxies,
    shown_channels,
    silences,
    vendors,
)
from responder.bootstrap.environment import (
    SystemClock,
    config_file,
    environment,
    folders_from_environment,
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
from responder.bootstrap.runbooks import document_of, scope_of, step_tools
from responder.bootstrap.store import (
    back_up,
    check_store,
    database,
    join_store,
    prepare_store,
    retention,
    store_prepared_aside,
)
