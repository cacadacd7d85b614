"""Django's admin imports this module; the imports register the pages of keys and of the log."""

from keys.log.admin import RequestLogAdmin
from keys.operators.everybody_admin import EverybodyAdmin
from keys.operators.key_admin import KeyAdmin
from keys.operators.owner_limits_admin import OwnerLimitsAdmin
from keys.operators.raise_admin import RaiseAdmin, RaiseRequestAdmin
from keys.operators.team_admin import TeamAdmin

__all__ = [
    "EverybodyAdmin",
    "KeyAdmin",
    "OwnerLimitsAdmin",
    "RaiseAdmin",
    "RaiseRequestAdmin",
    "RequestLogAdmin",
    "TeamAdmin",
]
