"""What the pages read of a large log they read along an index, in its order, on both engines."""

import json
import re

import pytest
from django.db import connection

from tests.keys.engines import finished, postgres_server
from tests.keys.log import plans


def assert_each_along_its_index(found: dict[str, str]) -> None:
    for name, (_, index) in plans.CASES.items():
        assert re.search(rf"\b{index}\b", found[name]), f"{name}: {found[name]}"
        if "log" in index:
            assert not re.search("Sort|TEMP B-TREE FOR ORDER", found[name]), found[name]


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor != "sqlite", reason="the other test has PostgreSQL")
def test_on_sqlite_each_reading_goes_along_its_index() -> None:
    with plans.large_log():
        found = plans.plans()
    assert_each_along_its_index(found)
    # From where the page begins on, not from where the days do.
    assert "started_at>? AND started_at<?" in found["rows of some days"]


def test_on_postgresql_each_reading_goes_along_its_index() -> None:
    with postgres_server(migrated=True) as database_url:
        environment = {"DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "proxysite.settings"}
        told = finished("tests.keys.log.plans", environment)
        assert told.returncode == 0, told.stdout
    assert_each_along_its_index(json.loads(told.stdout))
