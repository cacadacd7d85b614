"""The tables of keys, of the request log and of its totals, with the rules of keys."""

from keys.models.captured_text import CapturedText
from keys.models.ended_session import EndedSession
from keys.models.everybody import Everybody
from keys.models.given_role import GivenRole
from keys.models.key import STATIC_KEY_NAME, USUAL_CAPTURE_DAYS, Key, KeySecret
from keys.models.limit import Limit, Raise, normal_patterns, usual_amount
from keys.models.limited import LIMITS, Limited
from keys.models.marks import LedgerMark, PruneMark
from keys.models.owner_limits import OwnerLimits
from keys.models.raise_request import RaiseRequest
from keys.models.request_log import RequestLog
from keys.models.reservation import Reservation
from keys.models.restrictions import (
    ENDPOINTS,
    validate_endpoints,
    validate_model_patterns,
    validate_networks,
)
from keys.models.revision import Revision
from keys.models.sent_form import SentForm
from keys.models.team import Membership, Team
from keys.models.totals import (
    DURATION_COUNTS,
    LATENCY_BOUNDS_MS,
    TTFT_COUNTS,
    AccountTotal,
    DayTotal,
    MonthTotal,
    TeamMonthTotal,
    TeamTotal,
)

__all__ = [
    "DURATION_COUNTS",
    "ENDPOINTS",
    "LATENCY_BOUNDS_MS",
    "LIMITS",
    "STATIC_KEY_NAME",
    "TTFT_COUNTS",
    "USUAL_CAPTURE_DAYS",
    "AccountTotal",
    "CapturedText",
    "DayTotal",
    "EndedSession",
    "Everybody",
    "GivenRole",
    "Key",
    "KeySecret",
    "LedgerMark",
    "Limit",
    "Limited",
    "Membership",
    "MonthTotal",
    "OwnerLimits",
    "PruneMark",
    "Raise",
    "RaiseRequest",
    "RequestLog",
    "Reservation",
    "Revision",
    "SentForm",
    "Team",
    "TeamMonthTotal",
    "TeamTotal",
    "normal_patterns",
    "usual_amount",
    "validate_endpoints",
    "validate_model_patterns",
    "validate_networks",
]
