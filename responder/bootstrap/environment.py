"""Inputs from the machine: clocks, environment, standard output."""

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from responder.settings import Settings, env_name, read

if TYPE_CHECKING:
    from responder.outgoing.process import Launch


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


def settings_from_environment(options: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process; ``options`` are values by name that win. Raises InvalidSettings."""
    return read(os.environ, options)


@contextmanager
def config_file(path: str) -> Iterator[None]:
    """Read settings that the environment leaves out from a file, in this process and in those it starts."""
    before = os.environ.get(env_name("config"))
    os.environ[env_name("config")] = path
    try:
        yield
    finally:
        del os.environ[env_name("config")]
        if before is not None:
            os.environ[env_name("config")] = before


def folders_from_environment() -> Settings:
    """Return the settings with only the folders of rules and runbooks read, so that no other setting can be wrong."""
    wanted = tuple(map(env_name, ("rules", "runbooks", "config")))
    return read({name: os.environ[name] for name in wanted if name in os.environ})


def environment() -> Mapping[str, str]:
    """The process's environment."""
    return os.environ


def print_page(page: str) -> None:
    """Write a page of the log channel to standard output, in one write."""
    os.write(1, (page.rstrip("\n") + "\n\n").encode())


#: Programs that steps may start where they are installed; the image of responder brings none.
_PROGRAMS = ("promtool", "dig")
#: Beginnings of the variables that responder's own commands read.
_OWN_VARIABLES = ("RESPONDER_", "KUBECONFIG", "KUBERNETES_SERVICE_")


def programs(environment: Mapping[str, str]) -> "Mapping[str, Launch]":
    """Return the programs that steps may start. Only responder's own commands get settings and the working folder."""
    from responder.outgoing.process import Launch

    found = {name: Launch((path,)) for name in _PROGRAMS if (path := shutil.which(name, path=environment.get("PATH")))}
    own = {name: value for name, value in environment.items() if name.startswith(_OWN_VARIABLES)}
    return {**found, "responder": Launch((sys.executable, "-P", "-m", "responder"), own, str(Path.cwd()))}
