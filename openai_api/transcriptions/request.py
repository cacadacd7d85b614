"""What `POST /v1/audio/transcriptions` and `/translations` accept. Pure but for reading the body.

Comes in: the form. Goes out: a TranscriptionRequest. Raises BadRequest naming the `param`, and
FileTooLarge.
"""

from dataclasses import dataclass

from openai_api.errors import BadRequest, FileTooLarge
from openai_api.exchange import GatewayRequest
from openai_api.wire.declared import (
    Array,
    Boolean,
    Choice,
    Files,
    FilledText,
    Number,
    Text,
    declared,
)
from openai_api.wire.fields import wrong_value
from openai_api.wire.multipart import Form, Upload, form_body

# OpenAI's limit, and what its clients cut their recordings to.
MAX_FILE_BYTES = 25 * 1024 * 1024
# Room for what a form holds beside its file.
FORM_BYTES = 256 * 1024
FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
GRANULARITIES = ("word", "segment")


_TEXTS = {"items": {"type": "string"}}


class Fields:
    file = Files("A recording.", most=1, required=True)
    model = FilledText(examples=["@cf/openai/whisper-large-v3-turbo"])
    language = Text("As ISO 639-1 has it.", examples=["en"])
    languages = Array("Read where it holds one.", narrowed=_TEXTS, examples=[["en"]])
    prompt = Text()
    keywords = Array(narrowed=_TEXTS)
    response_format = Choice(FORMATS)
    timestamp_granularities = Array(
        "Needs the response_format `verbose_json`.",
        narrowed={"items": {"enum": list(GRANULARITIES)}},
        examples=[[]],
    )
    temperature = Number(0, 1)
    stream = Boolean("Needs the response_format `json` or `text`.")
    include = Array("Ignored.", narrowed=_TEXTS)
    known_speaker_names = Array("Ignored.", narrowed=_TEXTS)
    known_speaker_references = Array("Ignored.", narrowed=_TEXTS)
    user = Text()


_FIELDS = declared(Fields)


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
    body = form.body(_FIELDS)
    model = Fields.model(body)
    recording = form.upload("file")
    if len(recording.data) > MAX_FILE_BYTES:
        raise FileTooLarge("file", MAX_FILE_BYTES)
    Fields.temperature(body)
    response_format = Fields.response_format(body) or "json"
    granularities: list[str] = body.get("timestamp_granularities", [])
    _check_granularities(granularities, response_format)
    stream = bool(Fields.stream(body))
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
        prompt=Fields.prompt(body),
        keywords=tuple(body.get("keywords", ())),
        response_format=response_format,
        words="word" in granularities,
        segments="segment" in granularities or not granularities,
        stream=stream,
        user=Fields.user(body) or "",
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
    language = Fields.language(body)
    languages = body.get("languages")
    if language is None and isinstance(languages, list) and len(languages) == 1:
        return str(languages[0])
    return language
