"""Inputs from the machine: clocks, environment, standard output."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from responder.settings import Settings, env_name, read


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


def settings_from_environment() -> Settings:
    """The settings of this process. Raises InvalidSettings."""
    return read(os.environ)


def folders_from_environment() -> Settings:
    """The same, but only the folders of rules and runbooks are read: what else is wrong does not matter to them."""
    wanted = (env_name("rules"), env_name("runbooks"))
    return read({name: os.environ[name] for name in wanted if name in os.environ})


def environment() -> Mapping[str, str]:
    """The process's environment."""
    return os.environ


def print_page(page: str) -> None:
    """The log channel's page goes to standard output, whole and in one write."""
    os.write(1, (page.rstrip("\n") + "\n\n").encode())
