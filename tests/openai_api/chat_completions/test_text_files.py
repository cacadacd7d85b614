"""Files of text in a chat, whichever way they are written, and files that are none."""

import base64
from typing import Any

import httpx
import pytest

from openai_api.chat_completions.translate.text_files import text_of_file
from tests.openai_api.chats import LEGACY, VLLM, chat_body, post
from workers_ai.simulator.serve import RunningSimulator


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def read(file_data: Any, **fields: Any) -> str | None:
    return text_of_file({"file_data": file_data, "filename": "notes.txt", **fields})


@pytest.mark.parametrize(
    "file_data",
    [
        encoded("Grüße".encode()),
        "data:text/plain;base64," + encoded("Grüße".encode()),
        "data:application/json;charset=utf-8;base64," + encoded("Grüße".encode("utf-8-sig")),
        "data:text/csv,Gr%C3%BC%C3%9Fe",
        "DATA:application/octet-stream;BASE64," + encoded("Grüße".encode()),
    ],
)
def test_text_is_read_with_its_name(file_data: str) -> None:
    assert read(file_data) == "notes.txt\nGrüße"
    assert read(file_data, filename=None) == "Grüße"


@pytest.mark.parametrize(
    "file_data",
    [
        encoded(b"%PDF-1.7 all ascii"),
        encoded(b"\x89PNG\r\n\x1a\n\xff"),
        encoded(b"a\0b"),
        "no base64!",
        "data:text/plain;base64",
        None,
        7,
    ],
)
def test_what_is_no_text_stays_as_it_is(file_data: Any) -> None:
    assert read(file_data) is None


@pytest.mark.parametrize("model", [LEGACY, VLLM])
def test_every_model_reads_a_text_file(
    client: httpx.Client, upstream: RunningSimulator, model: str
) -> None:
    data = "data:text/markdown;base64," + encoded(b"The parrot is blue.")
    part = {"type": "file", "file": {"file_data": data, "filename": "a.md"}}
    chat = chat_body(model=model) | {"messages": [{"role": "user", "content": [part]}]}
    assert post(client, chat).status_code == 200
    item = {"type": "input_file", "file_data": data, "filename": "a.md"}
    said = {"role": "user", "content": [item, {"type": "input_text", "text": "Which colour?"}]}
    response = client.post("/responses", json={"model": model, "input": [said]})
    assert response.status_code == 200, response.text
    for sent in list(upstream.requests)[-2:]:
        assert "a.md\nThe parrot is blue." in sent.body["messages"][-1]["content"]
