"""What Django's admin finds of this app: importing the pages registers them."""

from keys.log.admin import RequestLogAdmin
from keys.operators.key_admin import KeyAdmin, OwnerLimitsAdmin

__all__ = ["KeyAdmin", "OwnerLimitsAdmin", "RequestLogAdmin"]
