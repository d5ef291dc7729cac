"""Ends that a pager refuses, on PostgreSQL."""

import pytest

from tests.unit.engine.jobs.test_unresolved_pages import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
