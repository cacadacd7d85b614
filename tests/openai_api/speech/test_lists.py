"""`GET /v1/audio/voices` and `/v1/audio/models`: pickers of chat apps."""

from typing import Any

import httpx
import pytest

from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess

AURA = "@cf/deepgram/aura-2-en"
MELO = "@cf/myshell-ai/melotts"


def listed(gateway: GatewayProcess, path: str, key: str = "") -> dict[str, Any]:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    response = httpx.get(gateway.url + path, headers=headers)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


@pytest.mark.parametrize("has_key", [False, True])
@pytest.mark.parametrize("prefix", ["/v1", ""])
def test_voices_and_models_are_listed(
    gateway: GatewayProcess, key: str, prefix: str, has_key: bool
) -> None:
    sent = key if has_key else ""
    models = listed(gateway, f"{prefix}/audio/models", sent)["models"]
    assert {AURA, MELO} <= {model["id"] for model in models}
    assert not [model for model in models if "whisper" in model["id"]]
    voices = listed(gateway, f"{prefix}/audio/voices", sent)["voices"]
    assert {"alloy", "asteria"} <= {voice["id"] for voice in voices}
    assert all(voice["name"] for voice in voices)


def test_a_key_sees_what_it_may_use(gateway: GatewayProcess) -> None:
    melo = gateway.issue_key(allowed_models=[MELO])
    assert [m["id"] for m in listed(gateway, "/v1/audio/models", melo)["models"]] == [MELO]
    voices = {voice["id"] for voice in listed(gateway, "/v1/audio/voices", melo)["voices"]}
    assert "alloy" in voices and "asteria" not in voices
    painter = gateway.issue_key(allowed_endpoints=["images"])
    assert listed(gateway, "/v1/audio/voices", painter) == {"voices": []}


def test_a_wrong_key_and_a_post_are_refused(gateway: GatewayProcess) -> None:
    url = gateway.url + "/v1/audio/voices"
    wrong = httpx.get(url, headers={"authorization": "Bearer nothing"})
    assert_openai_error(wrong, 401, code="invalid_api_key")
    assert httpx.post(url, json={}).status_code in (401, 405)
