"""The pages and the read API of the console, on PostgreSQL."""

import pytest

from tests.unit.console.conftest import *  # noqa: F403 - the fixtures
from tests.unit.console.test_api import *  # noqa: F403 - the same tests; only the database is another
from tests.unit.console.test_pages import *  # noqa: F403

pytestmark = pytest.mark.real
