"""Documents in each dialect: Workers AI reads them, and every chat model gets their text."""

import asyncio
import io
import threading
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from django.test import override_settings

from openai_api.chat_completions import documents
from openai_api.chat_completions.pictures import fetching
from openai_api.chat_completions.translate import documents as translate
from openai_api.errors import BadRequest
from proxysite.setting_readers.network import networks
from tests.assertions import assert_openai_error
from tests.gateway import GatewayProcess
from tests.openai_api.chats import LEGACY, VLLM, new_id
from tests.openai_api.test_tool_results import DIALECTS, asking, sent
from workers_ai.client import Caller
from workers_ai.errors import TimedOut
from workers_ai.markdown import DOCUMENT_TYPES, file_name
from workers_ai.simulator.serve import RunningSimulator


def pdf(*pages: str) -> str:
    """As small as a PDF can be, its pages compressed."""
    streams = [zlib.compress(f"BT /F1 12 Tf ({text}) Tj ET".encode()) for text in pages]
    body = b"".join(b"<< /Type /Page >> stream\n%b\nendstream\n" % one for one in streams)
    return b64encode(b"%PDF-1.4 \xff\n" + body).decode()


def docx(text: str) -> str:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("word/document.xml", f"<w:p><w:t>{text}</w:t></w:p>")
    return b64encode(file.getvalue()).decode()


PDF = pdf("The parrot is blue.", "It speaks.")
READ = "# notes.pdf\n\n## Contents\n### Page 1\nThe parrot is blue.\n\n### Page 2\nIt speaks.\n"


@DIALECTS
@pytest.mark.parametrize("model", [LEGACY, VLLM])
def test_a_pdf_is_read_whoever_gave_it(
    client: httpx.Client, upstream: RunningSimulator, path: str, model: str
) -> None:
    given = [("text", "Read."), ("application/pdf", PDF)]
    said = [("text", "Which colour?"), ("application/octet-stream", PDF)]
    if model == LEGACY:  # it takes no tools
        body = asking(path, model, given=given, said=said)
        field = "input" if path == "/responses" else "messages"
        body[field] = [{"role": "user", "content": body[field][-1]["content"][-2:]}]
        assert client.post(path, json=body).status_code == 200
        messages = upstream.requests[-1].body["messages"]
    else:
        messages = sent(client, upstream, path, model, given=given, said=said)
        assert messages[2]["content"] == f"Read.\n{READ}"
    assert messages[-1]["content"] == f"Which colour?\n{READ}"


def test_office_files_are_told_by_name_or_type(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    data = docx("Twelve &amp; more")
    parts: list[dict[str, Any]] = [
        {"type": "input_file", "file_data": data, "filename": "a b.docx"},
        {"type": "input_file", "file_data": f"data:{DOCUMENT_TYPES['docx']};base64,{data}"},
    ]
    for part in parts:
        body = {"model": VLLM, "input": [{"role": "user", "content": [part]}]}
        assert client.post("/responses", json=body).status_code == 200
        assert "Twelve & more" in upstream.requests[-1].body["messages"][0]["content"]
    unknown = {"type": "input_file", "file_data": data, "filename": "a.zip"}
    body = {"model": VLLM, "input": [{"role": "user", "content": [unknown]}]}
    error = assert_openai_error(client.post("/responses", json=body), 400)
    assert "'a.zip' cannot be read" in error["message"] and "docx" in error["message"]


def test_a_document_is_read_once_for_a_conversation_and_key(
    client: httpx.Client, gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    data = pdf(new_id())
    content = [{"type": "file", "file": {"file_data": data, "filename": "x.pdf"}}]
    body = {"model": VLLM, "messages": [{"role": "user", "content": content}], "stream": True}
    other = {"authorization": f"Bearer {gateway.issue_key()}"}
    for headers in ({}, {}, other):
        assert client.post("/chat/completions", json=body, headers=headers).status_code == 200
    paths = [request.path.rpartition("/ai/")[2] for request in list(upstream.requests)]
    assert paths.count("tomarkdown") == 2
    texts = [r.body["messages"] for r in upstream.requests if r.path.endswith("completions")]
    assert texts[-3] == texts[-2] == texts[-1]


@DIALECTS
def test_what_cannot_be_read_refuses_a_user_and_not_an_agent(
    client: httpx.Client, gateway: GatewayProcess, upstream: RunningSimulator, path: str
) -> None:
    locked = b64encode(b"%PDF-1.4 \xff /Encrypt /Page").decode()
    body = asking(path, VLLM, given=[("text", "-")], said=[("application/pdf", locked)])
    request_id = new_id()
    response = client.post(path, json=body, headers={"x-request-id": request_id})
    assert response.status_code == 400
    assert "cannot be read: No password given." in response.json()["error"]["message"]
    assert gateway.row(request_id).cost_nano_usd == 0
    messages = sent(client, upstream, path, VLLM, given=[("application/pdf", locked)])
    assert messages[2]["content"].startswith("[document notes: it could not be read.")

    # The same while Workers AI itself fails.
    upstream.set_scenario("error", path="tomarkdown", code=10000, status=401)
    body = asking(path, VLLM, given=[("text", "-")], said=[("application/pdf", pdf(new_id()))])
    assert client.post(path, json=body).status_code == 502
    messages = sent(client, upstream, path, VLLM, given=[("application/pdf", pdf(new_id()))])
    assert messages[2]["content"].startswith("[document notes: it could not be read.")


def test_a_url_of_a_document_goes_through_the_guard_of_pictures(
    client: httpx.Client, upstream: RunningSimulator
) -> None:
    url = "http://127.0.0.1/secret.pdf"
    block = {"type": "document", "source": {"type": "url", "url": url}}
    said = {"role": "user", "content": [block]}
    body: dict[str, Any] = {"model": VLLM, "max_tokens": 50, "messages": [said]}
    response = client.post("/messages", json=body)
    assert response.status_code == 400
    assert "its address is not public" in response.json()["error"]["message"]
    item = {"type": "input_file", "file_url": url}
    responses = {"model": VLLM, "input": [{"role": "user", "content": [item]}]}
    error = assert_openai_error(client.post("/responses", json=responses), 400)
    assert error["param"] == "input[0].content[0].file_url"
    assert error["code"] == "invalid_document"

    body = asking("/messages", VLLM, given=[], said=[("text", "So?")])
    body["messages"][2]["content"][0]["content"] = [block]
    assert client.post("/messages", json=body).status_code == 200
    assert "its address is not public" in upstream.requests[-1].body["messages"][2]["content"]


def test_a_budget_counts_a_document_before_it_is_read(
    client: httpx.Client, gateway: GatewayProcess, upstream: RunningSimulator
) -> None:
    # Enough for the chat alone, and not for all that the document might hold.
    key = gateway.issue_key(total_budget_nano_usd=4_000_000)
    headers = {"authorization": f"Bearer {key}"}
    body: dict[str, Any] = {"model": VLLM, "max_tokens": 10}
    body["messages"] = [{"role": "user", "content": "hi"}]
    assert client.post("/chat/completions", json=body, headers=headers).status_code == 200
    before = len(upstream.requests)
    file = {"file_data": pdf(*[new_id() * 50] * 9), "filename": "x.pdf"}
    body["messages"] = [{"role": "user", "content": [{"type": "file", "file": file}]}]
    response = client.post("/chat/completions", json=body, headers=headers)
    assert_openai_error(response, 429, code="insufficient_quota")
    assert len(upstream.requests) == before


# --- Bounds, without a gateway ------------------------------------------------------------------


def test_texts_are_cut_at_a_page_and_within_what_was_set_aside() -> None:
    text = "".join(f"### Page {n}\nÄ\n" for n in range(1, 8))
    with override_settings(DOCUMENT_MAX_PAGES=2):
        cut = documents._first_pages(text)
    assert cut == "### Page 1\nÄ\n### Page 2\nÄ\n\n[The document goes on: 2 pages are read.]"
    for most in (40, 41, 42, 50):
        short = documents._cut("Ä" * 100, most)
        assert len(short.encode()) <= most and short.endswith("cut here.]")
    assert documents._cut("Ä", 2) == "Ä"


def test_documents_count_by_their_size_until_they_are_read() -> None:
    def part(data: str) -> dict[str, Any]:
        return {"type": "file", "file": {"file_data": data, "filename": "x.pdf"}}

    small, large, url = part(PDF), part("JVBERi" + "A" * 10**6), part("https://example.com/x")
    assert translate.most_bytes_of(small) == 2_000 + 20 * len(PDF)
    assert translate.most_bytes_of(large) == translate.most_bytes_of(url) == 256 * 1024
    messages = [{"role": "user", "content": [small, url, {"type": "text", "text": "?"}]}]
    left, unread = translate.without_unread(messages)
    assert left == [{"role": "user", "content": [{"type": "text", "text": "?"}]}]
    assert unread.most_bytes == translate.most_bytes_of(small) + 256 * 1024
    assert unread.likely_bytes < unread.most_bytes
    with override_settings(DOCUMENTS=False):
        assert translate.without_unread(messages) == (messages, (0, 0))
        assert "reads files of text only" in str(translate.unreadable_file(messages))


@pytest.mark.parametrize(
    ("name", "sent_as"),
    [
        ("report.PDF", "report.pdf"),
        ('dir/a\r\nb".pdf', "a__b_.pdf"),
        ("", "document.pdf"),
        ("no end", "no end.pdf"),
        ("x" * 300 + ".pdf", "x" * 80 + ".pdf"),
    ],
)
def test_names_are_safe_in_a_form(name: str, sent_as: str) -> None:
    assert file_name(name, "pdf") == sent_as


class _Files(BaseHTTPRequestHandler):
    """A web server of somebody's."""

    def do_GET(self) -> None:
        files = {"/a.pdf": b"%PDF-1.4 \xff", "/notes": b"Twelve birds", "/x": b"\x00\x01"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(files[self.path.partition("?")[0]])

    def log_message(self, *args: Any) -> None:
        return None


@pytest.fixture
def files_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Files) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


async def _read(url: str) -> str:
    exchange: Any = SimpleNamespace(caller=Caller("1"), holds=None, key=SimpleNamespace(id=1))
    part = {"type": "file", "file": {"file_data": url, "filename": None}}
    async with fetching(exchange) as fetch:
        return await documents.read_document(exchange, part, "here", fetch)


def test_documents_behind_urls_are_read_by_what_they_are(
    files_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def converted(client: Any, content: bytes, *, name: str, **of: Any) -> str:
        return f"# {name}\nof {len(content)} bytes, {of['extension']}"

    async def never(*values: Any, **of: Any) -> str:
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(documents, "to_markdown", converted)
    monkeypatch.setenv("TEST_NETWORKS", "127.0.0.0/8")
    with override_settings(IMAGE_FETCH_ALLOWED_NETWORKS=networks("TEST_NETWORKS")):
        assert asyncio.run(_read(files_url + "/a.pdf?v=1")) == "# a.pdf\nof 10 bytes, pdf"
        assert asyncio.run(_read(files_url + "/notes")) == "notes\nTwelve birds"
        with pytest.raises(BadRequest, match="it is none of files of text"):
            asyncio.run(_read(files_url + "/x"))
        monkeypatch.setattr(documents, "to_markdown", never)
        with override_settings(DOCUMENT_TIMEOUT=0.01), pytest.raises(TimedOut):
            asyncio.run(_read(files_url + "/a.pdf"))
