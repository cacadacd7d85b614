"""Lists of those who have limits: each line with the limits in force, read for a page at once."""

from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.views import ChangeList

from keys import shown
from keys.held_limits import HeldLimit
from keys.reports.limits_in_force import limits_in_force
from keys.scopes import NO_LIMITS, HolderKind
from theme.shown import lines


class HolderList(ChangeList):
    holder_kind: HolderKind
    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        columns = {one.pk: getattr(one, "limits", NO_LIMITS) for one in self.result_list}
        held = limits_in_force(self.holder_kind, columns)
        for one in self.result_list:
            one.limits_in_force = held[one.pk]


class OwnerList(HolderList):
    holder_kind = "owner"


class TeamList(HolderList):
    holder_kind = "team"


def limits_shown(holder: Any, more: tuple[str, ...] = ()) -> SafeString:
    """A line for each limit, of a holder in a `HolderList`."""
    held: tuple[HeldLimit, ...] = holder.limits_in_force
    return lines([*map(shown.limit_text, held), *more], "none")
