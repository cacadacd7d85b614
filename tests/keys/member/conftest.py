from typing import Any

import pytest
from django.test import Client

from tests.keys.factories import user


@pytest.fixture
def ada(db: None) -> Any:
    return user("ada")


@pytest.fixture
def member(ada: Any) -> Client:
    """Ada's browser. Without a password, so that no test waits for one to be hashed."""
    return signed_in(ada)


def signed_in(who: Any, **options: Any) -> Client:
    browser = Client(**options)
    browser.force_login(who)
    return browser
