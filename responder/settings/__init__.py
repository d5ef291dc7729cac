"""Settings: all of them, how they are read, and variables that look like one."""

from responder.settings.every import MONITORING, Settings, declared, env_name
from responder.settings.reading import InvalidSettings, read, unknown_variables

__all__ = ["MONITORING", "InvalidSettings", "Settings", "declared", "env_name", "read", "unknown_variables"]
