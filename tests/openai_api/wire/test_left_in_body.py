"""Long pictures of a chat's body: which stay in its bytes, and that they come back whole."""

import json
from typing import Any

import orjson
import pytest

from openai_api.errors import BadRequest, TooManyValues
from openai_api.wire.bounds import MOST_VALUES
from openai_api.wire.left_in_body import (
    BEGINNING_BYTES,
    LEAST_BYTES,
    LeftInBody,
    behind,
    chat_object,
    left_in,
    put_back,
    whole,
)

Body = dict[str, Any]
PNG = "iVBORw0KGgo" + "Ab+/" * LEAST_BYTES
URL = f"data:image/png;base64,{PNG}"


def url_part(url: str = URL) -> Body:
    return {"type": "image_url", "image_url": {"url": url}}


def of_user(*parts: Any) -> Body:
    return {"model": "m", "messages": [{"role": "user", "content": list(parts)}], "top_k": 5}


def anthropic(data: str = PNG) -> Body:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def texts_left(value: Any) -> list[LeftInBody]:
    """All of them, wherever they are."""
    if isinstance(value, LeftInBody):
        return [value]
    inner = value.values() if isinstance(value, dict) else value
    return [one for v in inner for one in texts_left(v)] if isinstance(value, dict | list) else []


OTHERS: list[Body] = [
    of_user(url_part(), {"type": "text", "text": 'said "so" \\ "'}, url_part(URL + "AAA=")),
    of_user({"type": "image_url", "image_url": URL}),
    of_user({"type": "image_url", "image_url": {"detail": "low", "url": URL}}),
    of_user(url_part(URL.replace("png", "jpeg")), *[{"type": "text", "text": "x"}] * 900),
    {"messages": [{"role": "tool", "tool_call_id": "c", "content": [url_part()]}]},
    {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": URL}]}]},
    {
        "input": [
            {
                "type": "function_call_output",
                "output": [{"type": "input_image", "image_url": URL}],
            }
        ]
    },
    of_user(anthropic()),
    of_user({"type": "tool_result", "tool_use_id": "t", "content": [anthropic(), anthropic()]}),
]


@pytest.mark.parametrize("body", OTHERS)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_long_picture_stays_in_the_body_and_comes_back(
    body: Body, separators: tuple[str, str], indent: int | None
) -> None:
    written = json.dumps(body, separators=separators, indent=indent).encode()
    parsed = chat_object(written)
    left = texts_left(parsed)
    assert len(left) == written.count(b"iVBORw0KGgo")
    assert all(len(text) < 2 * BEGINNING_BYTES for text in left)
    assert all(text.whole().removesuffix("AAA=").endswith(PNG) for text in left)
    assert b"".join(put_back(orjson.dumps(parsed), left)) == orjson.dumps(body)


@pytest.mark.parametrize(
    "body",
    [
        of_user({"type": "text", "text": URL}),
        of_user({"type": "text", "text": f'see "{URL}"'}),
        of_user({"type": "text", "text": f'{{"url":"{URL}"}}'}),
        of_user({"type": "text", "text": PNG}),
        of_user(url_part(), {"type": "text", "text": PNG}),
        of_user({"type": "file", "file": {"file_data": URL}}),
        {**of_user("x"), "metadata": {"url": URL}},
        {**of_user("x"), "tools": [{"type": "function", "function": {"default": url_part()}}]},
        {"messages": URL},
        {"input": URL},
        {"messages": [{"role": "user", "content": URL}]},
        {"messages": [[url_part()]], "input": [URL]},
        of_user(url_part(URL[:-400] + "\n" + "A" * 400)),
        of_user(url_part(URL[:-400] + "é" + "A" * 400)),
        of_user(url_part(URL[:-400] + '\\"' + "A" * 400)),
        of_user(url_part(URL.replace("image/png", "text/plain"))),
        of_user(url_part(URL.replace("base64", "utf8"))),
        of_user({"type": "image_url", "image_url": {"URL": URL}}),
        of_user({"type": "document", "source": {"type": "base64", "data": "JVBER" + PNG}}),
        of_user(url_part(URL[: LEAST_BYTES // 2])),
    ],
)
def test_what_somebody_reads_or_is_no_picture_is_parsed(body: Body) -> None:
    written = json.dumps(body, ensure_ascii=False).encode()
    parsed = chat_object(written)
    assert texts_left(parsed) == []
    assert parsed == body


def test_of_two_values_of_one_name_the_last_counts() -> None:
    part = f'{{"type": "image_url", "image_url": {{"url": "{URL}", "url": "https://x.org/a.png"}}}}'
    written = f'{{"messages": [{{"role": "user", "content": [{part}]}}]}}'.encode()
    assert chat_object(written) == json.loads(written)


@pytest.mark.parametrize("character", [0, 1, 9, 10, 13, 31])
def test_a_picture_with_a_control_character_is_no_json(character: int) -> None:
    written = json.dumps(of_user(url_part())).encode()
    middle = len(written) // 2
    with pytest.raises(BadRequest, match=f"column {middle}|JSON"):
        chat_object(written[:middle] + bytes([character]) + written[middle:])


@pytest.mark.parametrize("more", ["}", ",", '"'])
def test_json_that_ends_badly_is_told_by_its_own_places(more: str) -> None:
    written = json.dumps(of_user(url_part())).encode() + more.encode()
    with pytest.raises(BadRequest) as refused:
        chat_object(written)
    assert str(len(written))[:4] in refused.value.message


def test_values_are_counted_beside_a_picture() -> None:
    body = of_user(url_part())
    body["metadata"] = [0] * (MOST_VALUES + 1)
    with pytest.raises(TooManyValues):
        chat_object(json.dumps(body).encode())


def test_a_mark_that_is_guessed_is_only_a_text() -> None:
    (left,) = texts_left(chat_object(json.dumps(of_user(url_part())).encode()))
    again = of_user(url_part(), url_part(f"data:image/png;base64,AAAA{left.mark}"))
    parsed = chat_object(json.dumps(again).encode())
    assert len(texts_left(parsed)) == 1
    assert parsed["messages"][0]["content"][1] == again["messages"][0]["content"][1]


def test_a_text_goes_behind_another_where_it_is() -> None:
    parsed = chat_object(json.dumps(of_user(anthropic())).encode())
    (data,) = texts_left(parsed)
    url = behind("data:image/png;base64,", data)
    assert isinstance(url, LeftInBody)
    assert url.startswith("data:image/png;base64,iVBOR")
    assert whole(url) == URL
    assert (behind("a", "b"), whole("c")) == ("ab", "c")
    messages = [{"role": "user", "content": [url_part(url)]}, {"role": "user", "content": "x"}]
    assert left_in(messages) == (url,)
    content = orjson.dumps({"messages": messages})
    assert URL.encode() in b"".join(put_back(content, left_in(messages)))


def test_each_comes_back_wherever_it_has_been_put() -> None:
    parsed = chat_object(json.dumps(OTHERS[0]).encode())
    first, second = texts_left(parsed)
    for order in ([second], [second, first], [first, second, first]):
        pieces = put_back(orjson.dumps(["x", *order]), (first, second))
        assert json.loads(b"".join(pieces)) == ["x", *(picture.whole() for picture in order)]
