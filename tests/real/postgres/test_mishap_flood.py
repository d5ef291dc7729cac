"""Triage that breaks for many groups at once, on PostgreSQL."""

import pytest

from tests.unit.engine.test_mishap_flood import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
