import pytest

from tests.management_api.api_client import Api, new_token


@pytest.fixture
def api(db: None) -> Api:
    """With a token of every scope."""
    return Api(new_token()[1])
