"""Channels that rule files declare: the keys of each kind, their problems, and the channels themselves. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from responder.model.secret import Secret
from responder.model.setting import Setting
from responder.model.team import NamedChannel, SecretName
from responder.notify.channels import CHANNELS
from responder.notify.contract import Channel, Use


@dataclass(frozen=True, slots=True)
class KindKeys:
    """A kind of channel as rule files declare it."""

    kind: type[Channel]

    @property
    def pages(self) -> bool:
        """True if it calls on-call."""
        return self.kind.pages

    @property
    def is_status_page(self) -> bool:
        """True if only severities name it."""
        return self.kind.use is Use.STATUS_PAGE

    @property
    def keys(self) -> Collection[str]:
        """The keys of a rule file."""
        return self.kind.keys()

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a channel of this kind."""
        keys = self.kind.keys()
        properties = {key: {**_schema(setting), "description": setting.doc} for key, setting in keys.items()}
        needed = [key for key, setting in keys.items() if setting.name == self.kind.destination]
        return {
            "type": "object",
            "properties": {"kind": {}, **properties},
            "required": ["kind", *needed],
            "additionalProperties": False,
        }

    def problems(self, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield each key with a problem of its value; the key is empty for one of the whole."""
        keys = self.kind.keys()
        for key, value in values.items():
            if problem := _problem(key, keys[key], value):
                yield key, problem
        needed = [key for key, setting in keys.items() if setting.name == self.kind.destination]
        for key in set(needed) - values.keys():
            example = "{secret: NAME}" if keys[key].kind is Secret else "..."
            yield "", f"the kind needs the key '{key}': write {key}: {example}"
        shorthand = {setting.name.rpartition("_")[2] for setting in self.kind.file_settings}
        if "region" in shorthand & values.keys() and "url" in values:
            yield "region", "region and url are both given: keep one of them"


#: The kinds of channels that rule files may declare.
KINDS: Mapping[str, KindKeys] = {
    name: KindKeys(kind)
    for name, kind in CHANNELS.items()
    if kind.use in {Use.RULES, Use.STATUS_PAGE} or (kind.use is Use.FALLBACK and kind.destination)
}


def _schema(setting: Setting) -> dict[str, Any]:
    if setting.kind is Secret:
        return {"type": "object", "properties": {"secret": {"type": "string"}}, "required": ["secret"]}
    return {"type": "integer", "minimum": 1} if setting.kind is int else {"type": "string"}


def _problem(key: str, setting: Setting, value: Any) -> str:
    """Return the problem of a value, empty for none."""
    named = isinstance(value, dict)
    if setting.kind is Secret:
        if named and value.keys() == {"secret"} and is_secret_name(value["secret"]):
            return ""
        return (
            f"{key} is a secret: write {key}: {{secret: NAME}} with a name of lower case letters, digits and dashes, "
            "and put the value into RESPONDER_SECRETS_DIR/NAME or RESPONDER_SECRET_NAME"
        )
    if named or isinstance(value, bool) or not isinstance(value, setting.kind):
        return f"{'a whole number' if setting.kind is int else 'a text'} is expected for {key}"
    if setting.kind is int and value <= 0:
        return f"{key} is a whole number above zero"
    if not str(value).isprintable() or not str(value).strip():
        return f"{key} is one line of printable text"
    if key.endswith("url") and not str(value).startswith(("http://", "https://")):
        return f"{key} does not begin with http:// or https://"
    problem = setting.check(str(value))
    return f"{key} {problem}" if problem else ""


def is_secret_name(value: Any) -> bool:
    """True for a name that is safe as that of a file and of an environment variable."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= 64
        and value[0].isalpha()
        and all(sign.isascii() and (sign.islower() or sign.isdigit() or sign == "-") for sign in value)
    )


def needed_setting(channel: NamedChannel) -> str:
    """Return the setting without which channels of this kind are not complete, for a message."""
    return f"RESPONDER_{CHANNELS[channel.kind].settings[0].name.upper()}"


def takes(channel: NamedChannel, key: str) -> bool:
    """True if the kind has this key."""
    keys = CHANNELS[channel.kind].keys()
    return key in keys


def built(channel: NamedChannel, secrets: Mapping[str, Secret], given: Mapping[str, Any]) -> Channel | None:
    """Return the channel; None if the settings ``given`` lack what it leaves out. ``secrets`` are by name."""
    kind = CHANNELS[channel.kind]
    keys = kind.keys()
    own = {
        keys[key].name: secrets[value.name] if isinstance(value, SecretName) else value
        for key, value in channel.values.items()
    }
    return kind.from_rule_files(channel.name, own, given)
