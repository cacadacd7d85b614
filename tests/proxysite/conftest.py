from tests.openai_api.conftest import session_tuned_gateway, tuned_client, tuned_gateway

__all__ = ["session_tuned_gateway", "tuned_client", "tuned_gateway"]
