"""Every failure on `/v1` as the caller sees it: status, body and headers, in each dialect's words.

`tree.py` has the errors in OpenAI's terms, `rules.py` maps every other package's failures to them,
`responses.py` and `anthropic.py` put them into another dialect's words, `http_response.py` makes
the answer and `reporting.py` the line in the log.
"""

from openai_api.errors.anthropic import in_words_of_anthropic
from openai_api.errors.http_response import ANTHROPIC_VERSION, error_response
from openai_api.errors.reporting import Outages, report
from openai_api.errors.responses import in_words_of_responses
from openai_api.errors.rules import Rule, api_error, known_failures, rule_for
from openai_api.errors.tree import (
    ApiError,
    BadRequest,
    BodyTooLarge,
    ClientGone,
    FileTooLarge,
    HeadTooLarge,
    KeyStoppedError,
    NoRoom,
    PicturesBusy,
    RequestTimedOut,
    StoppingError,
    TooManyValues,
    TooManyWaiting,
    UnknownPath,
    UnreadableRequest,
    UpgradeRequired,
    UrlTooLong,
    WrongMediaType,
    WrongMethod,
)

__all__ = [
    "ANTHROPIC_VERSION",
    "ApiError",
    "BadRequest",
    "BodyTooLarge",
    "ClientGone",
    "FileTooLarge",
    "HeadTooLarge",
    "KeyStoppedError",
    "NoRoom",
    "Outages",
    "PicturesBusy",
    "RequestTimedOut",
    "Rule",
    "StoppingError",
    "TooManyValues",
    "TooManyWaiting",
    "UnknownPath",
    "UnreadableRequest",
    "UpgradeRequired",
    "UrlTooLong",
    "WrongMediaType",
    "WrongMethod",
    "api_error",
    "error_response",
    "in_words_of_anthropic",
    "in_words_of_responses",
    "known_failures",
    "report",
    "rule_for",
]
