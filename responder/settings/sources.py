"""Sources of settings: options of the command, the environment, a file, and the machine's proxy variables."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from responder.model.problem import Position
from responder.model.secret import Secret
from responder.model.setting import Setting
from responder.settings.egress import with_proxies
from responder.settings.every import PREFIX, declared, env_name

_CONFIG: Final = env_name("config")


@dataclass(frozen=True, slots=True)
class Sources:
    """Variables of all sources as one environment.

    ``origins`` says for each variable of a setting where it is from, ``places`` where in the file; ``written_in`` has
    the name under which a variable was given, and ``problems`` those of the file.
    """

    env: Mapping[str, str]
    origins: Mapping[str, str]
    places: Mapping[str, Position]
    written_in: Mapping[str, str]
    problems: tuple[str, ...]

    def labelled(self, variable: str, problem: str) -> str:
        """Return a problem of a variable with the name, and the place, under which it was given."""
        for name in (variable, f"{variable}_FILE"):
            if name in self.places:
                return f"{self.places[name]}: {name.removeprefix(PREFIX).lower()} {problem}"
        return f"{self.written_in.get(variable, variable)} {problem}"

    def located(self, problem: str) -> str:
        """Return a problem of several settings with the place of the first that is in the file."""
        words = problem.replace(",", " ").replace(":", " ").split()
        at = next((self.places[word] for word in words if word in self.places), None)
        return f"{at}: {problem}" if at else problem


def sources(env: Mapping[str, str], options: Mapping[str, str]) -> Sources:
    """Return the variables of all sources: options win over the environment, which wins over the file.

    ``options`` are values by the names of their settings.
    """
    given = {env_name(name): value for name, value in options.items()}
    path = given.get(_CONFIG) or env.get(_CONFIG, "").strip()
    in_file, places, problems = _file(path) if path else ({}, {}, [])
    origins = {name: f"{at.path}:{at.line}" for name, at in places.items()}
    for each in declared():
        pair = {env_name(each.name), f"{env_name(each.name)}_FILE"}
        for variables, origin in ((env, "environment"), (given, f"--{each.name}")):
            if names := {name for name in pair if variables.get(name, "").strip()}:
                for name in pair:
                    in_file.pop(name, None)
                    places.pop(name, None)
                    origins.pop(name, None)
                origins |= dict.fromkeys(names, origin)
    without = {name for option in given for name in (option, f"{option}_FILE")}
    own = {name: value for name, value in env.items() if name not in without and name not in in_file}
    merged, written_in = with_proxies({**in_file, **own, **given})
    return Sources(merged, {**origins, **written_in}, places, written_in, tuple(problems))


def _file(path: str) -> tuple[dict[str, str], dict[str, Position], list[str]]:
    """Return the variables that a file sets, their places, and its problems."""
    from responder.checked_file import read_file
    from responder.rulebook.yaml.reader import read

    try:
        document = read(path, read_file(Path(path)))
    except OSError as error:
        return {}, {}, [f"{path}: the file of settings cannot be read: {error.strerror}"]
    problems = [f"{each.position}: {each.message} ({each.hint})" for each in document.problems]
    if not isinstance(document.data, dict):
        if document.data is not None:
            problems.append(f"{document.at(())}: the file of settings is not a list of NAME: VALUE")
        return {}, {}, problems
    known = {each.name: each for each in declared() if each.name != "config"}
    known |= {f"{each.name}_file": each for each in known.values() if each.kind is Secret}
    found, places = {}, {}
    for key, value in document.data.items():
        if key not in known:
            close = difflib.get_close_matches(str(key).lower().removeprefix(PREFIX.lower()), known, n=1)
            hint = f"did you mean {close[0]}?" if close else "`responder serve --settings` lists them, with a prefix"
            problems.append(f"{document.key((key,))}: {key} is not a setting: {hint}")
            continue
        try:
            found[env_name(key)] = _text(known[key], value)
        except ValueError as error:
            problems.append(f"{document.at((key,))}: {key} {error}")
            continue
        places[env_name(key)] = document.at((key,))
    return found, places, problems


def _text(setting: Setting, value: Any) -> str:
    """Return a value as it stands in a variable. Raises ValueError."""
    if value is None:
        raise ValueError("has no value: quote a text that begins with #, or remove the key")
    if isinstance(value, str):
        return value
    if setting.kind is int:
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise ValueError("is not a whole number above zero")
    if isinstance(setting.default, Mapping) and isinstance(value, dict):
        return ",".join(f"{key}={_words(each)}" for key, each in value.items())
    if isinstance(setting.default, Mapping) and isinstance(value, list):
        return _words(value)
    raise ValueError("is not a text: write it in quotes")


def _words(value: Any) -> str:
    words = value if isinstance(value, list) else [value]
    if not all(isinstance(each, str) for each in words):
        raise ValueError("is not a text: write it in quotes")
    return " ".join(words)
