"""Variables that look like a setting and are none."""

import difflib
import re
from collections.abc import Iterator, Mapping

from responder.model.secret import Secret
from responder.settings.every import PREFIX, declared, env_name

#: Variables with the secrets that rule files name.
SECRET_PREFIX = f"{PREFIX}SECRET_"


def _known_names() -> set[str]:
    settings = tuple(declared())
    names = {env_name(each.name) for each in settings}
    return names | {f"{env_name(each.name)}_FILE" for each in settings if each.kind is Secret}


# Kubernetes gives every pod such variables for a Service that happens to be called "responder".
_OF_KUBERNETES = re.compile(r"RESPONDER(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_.*)?)")


def unknown_variables(env: Mapping[str, str]) -> Iterator[str]:
    """Return a sentence for each RESPONDER_ variable that is no setting, most often a typing error."""
    known = _known_names()
    for name in sorted(env):
        if name.startswith(SECRET_PREFIX):
            continue
        if name.startswith(PREFIX) and name not in known and not _OF_KUBERNETES.fullmatch(name):
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else "`responder serve --settings` lists them"
            yield f"{name} is not a setting: {hint}"
