"""What Django's admin finds of this app: importing the pages registers them."""

from keys.log.admin import RequestLogAdmin
from keys.operators.key_admin import KeyAdmin
from keys.operators.owner_limits_admin import OwnerLimitsAdmin

__all__ = ["KeyAdmin", "OwnerLimitsAdmin", "RequestLogAdmin"]
