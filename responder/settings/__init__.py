"""What we were told: every setting once, how it is read, and what looks like one and is none."""

from responder.settings.every import Settings, env_name
from responder.settings.reading import BadSettings, addresses, read
from responder.settings.unknown import strangers

__all__ = ["BadSettings", "Settings", "addresses", "env_name", "read", "strangers"]
