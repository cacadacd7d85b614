"""What `POST /v1/audio/transcriptions` and `/translations` accept. Pure but for reading the body.

Comes in: the form. Goes out: a TranscriptionRequest. Raises BadRequest naming the `param`, and
FileTooLarge.
"""

from dataclasses import dataclass

from openai_api.errors import BadRequest, FileTooLarge
from openai_api.exchange import GatewayRequest
from openai_api.wire import fields
from openai_api.wire.fields import wrong_value
from openai_api.wire.multipart import Form, Upload, form_body

# OpenAI's limit, and what its clients cut their recordings to.
MAX_FILE_BYTES = 25 * 1024 * 1024
# Room for what a form holds beside its file.
FORM_BYTES = 256 * 1024
FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("word", "segment")


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """`words` and `segments`: whether a `verbose_json` answer has to hold them."""

    model: str
    recording: Upload
    language: str | None = None
    prompt: str | None = None
    keywords: tuple[str, ...] = ()
    response_format: str = "json"
    words: bool = False
    segments: bool = True
    stream: bool = False
    user: str = ""


async def recording_form(request: GatewayRequest) -> Form:
    """The form in the body. One whose file is certainly too large is refused before it is read."""
    try:
        announced = int(request.raw_headers.get(b"content-length", b"0"))
    except ValueError:
        announced = 0
    if announced > MAX_FILE_BYTES + FORM_BYTES:
        raise FileTooLarge("file", MAX_FILE_BYTES)
    return await form_body(request)


def read(form: Form) -> TranscriptionRequest:
    """The request in `form`; raises BadRequest."""
    body = form.body(
        numbers=("temperature",),
        booleans=("stream",),
        lists=(
            "timestamp_granularities",
            "keywords",
            "languages",
            "include",
            "known_speaker_names",
            "known_speaker_references",
        ),
    )
    model = fields.text(body, "model", required=True) or ""
    recording = form.upload("file")
    if len(recording.data) > MAX_FILE_BYTES:
        raise FileTooLarge("file", MAX_FILE_BYTES)
    fields.number(body, "temperature", 0, 1)
    response_format = fields.choice(body, "response_format", FORMATS) or "json"
    granularities: list[str] = body.get("timestamp_granularities", [])
    _check_granularities(granularities, response_format)
    stream = bool(fields.boolean(body, "stream"))
    if stream and response_format not in ("json", "text"):
        raise BadRequest(
            "A streamed transcript comes in events of text: leave 'response_format' out or send "
            f"'json', not '{response_format}'.",
            param="response_format",
            code="unsupported_value",
        )
    return TranscriptionRequest(
        model=model,
        recording=recording,
        language=_language(body),
        prompt=fields.text(body, "prompt"),
        keywords=tuple(body.get("keywords", ())),
        response_format=response_format,
        words="word" in granularities,
        segments="segment" in granularities or not granularities,
        stream=stream,
        user=fields.text(body, "user") or "",
    )


def _check_granularities(granularities: list[str], response_format: str) -> None:
    for granularity in granularities:
        if granularity not in GRANULARITIES:
            raise wrong_value("timestamp_granularities", "'word' and 'segment'", granularity)
    if granularities and response_format != "verbose_json":
        raise BadRequest(
            "'timestamp_granularities' needs the response_format 'verbose_json', but got "
            f"'{response_format}'.",
            param="timestamp_granularities",
            code="invalid_value",
        )


def _language(body: dict[str, object]) -> str | None:
    """`language`, or the only one of `languages`: several are a hint that no model here takes."""
    language = fields.text(body, "language")
    languages = body.get("languages")
    if language is None and isinstance(languages, list) and len(languages) == 1:
        return str(languages[0])
    return language
