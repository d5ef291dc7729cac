"""Retention guarantees of every store, on PostgreSQL."""

import pytest

from tests.contracts.test_retention import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
