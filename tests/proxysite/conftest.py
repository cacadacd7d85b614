from tests.keys.conftest import run_on_threads
from tests.openai_api.conftest import session_tuned_gateway, tuned_client, tuned_gateway

__all__ = ["run_on_threads", "session_tuned_gateway", "tuned_client", "tuned_gateway"]
