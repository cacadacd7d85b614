"""The page on which members ask for raises of limits, and leads answer those of their team."""

from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from keys import raise_requests, shown
from keys.held_limits import HeldLimit
from keys.limit_holders import holder_with
from keys.member.policy import own_keys, why_out_of_force
from keys.models import RaiseRequest
from keys.raises import wish_text
from keys.scopes import HolderKind
from keys.sent_forms import SentBefore, take_form
from keys.written_limits import BadLimit, LimitKind

SHOWN: Final = 50
LONGEST: Final = timedelta(days=366)
# Limits that a member may ask more of, and whose they are, to the member.
_WHOSE: Final[dict[HolderKind, str]] = {
    "key": "this key",
    "owner": "all your keys",
    "team": "your team",
}
_DECISIONS: Final = {
    "grant": raise_requests.grant,
    "refuse": raise_requests.refuse,
    "withdraw": raise_requests.withdraw,
}


class AskForm(forms.Form):
    """Asks for more of one of the limits that hold for a key."""

    limit = forms.ChoiceField(label="Limit")
    more = forms.CharField(
        label="How much more",
        max_length=32,
        help_text="In the limit's own unit, such as 20. It is added to what you have.",
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
    )
    last_day = forms.DateField(
        label="Until",
        help_text="The last day (UTC). After it the limit is as it was.",
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    why = forms.CharField(
        label="Why", max_length=300, help_text="Whoever decides reads it, and it stays on record."
    )

    def __init__(self, data: Any = None, *, limits: dict[str, HeldLimit]) -> None:
        super().__init__(data)
        self._limits = limits
        choice: Any = self.fields["limit"]
        choice.choices = [(name, limit_words(limit)) for name, limit in limits.items()]

    def clean_last_day(self) -> datetime:
        end = datetime.combine(self.cleaned_data["last_day"], time(23, 59, 59), tzinfo=UTC)
        now = timezone.now()
        if not now < end <= now + LONGEST:
            raise forms.ValidationError("Choose a day from today on, within a year.")
        return end

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        limit = self._limits.get(values.get("limit", ""))
        if limit is not None and "more" in values:
            try:
                # Some write the plus, as the command raise_limit takes it.
                more = values["more"].removeprefix("+")
                values["plus"] = LimitKind.of(limit.subject).amount(more)
            except BadLimit as error:
                self.add_error("more", f"{str(error).capitalize()}.")
        return values

    @property
    def chosen(self) -> HeldLimit:
        return self._limits[self.cleaned_data["limit"]]


def limit_words(limit: HeldLimit) -> str:
    return f"{shown.limit_text(limit)} ({_WHOSE[limit.subject.holder_kind]})"


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, key_id: int) -> HttpResponse:
    key = own_keys(request.user).filter(pk=key_id).first()
    if key is None:
        raise Http404("You have no such key.")
    problem = why_out_of_force(key)
    if problem is not None:
        raise Http404(problem)
    limits = raise_requests.limits_to_raise(key)
    form = AskForm(request.POST if request.method == "POST" else None, limits=limits)
    if form.is_valid():
        values = form.cleaned_data
        try:
            with transaction.atomic():
                sending = take_form(request)
                asked = raise_requests.ask(
                    request.user,
                    form.chosen,
                    plus=values["plus"],
                    until=values["last_day"],
                    why=values["why"],
                )
                sending.made(asked.pk)
        except SentBefore:
            messages.info(request, "You had asked for this already. You see it here.")
        except raise_requests.NotPossible as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Asked. You see here what becomes of it.")
        return redirect("member:raises")
    context = {"key": key, "form": form, "has_limits": bool(limits)}
    return render(request, "member/ask.html", context)


@never_cache
@login_required
@require_safe
def raises(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    own = user.raise_requests.select_related("made", "asked_by")[:SHOWN]
    context = {
        "own": [_row(asked) for asked in own],
        "waiting": [_row(asked) for asked in raise_requests.waiting_for_lead(user)],
    }
    return render(request, "member/raises.html", context)


@never_cache
@login_required
@require_POST
def decide(request: HttpRequest, asked_id: int, decision: str) -> HttpResponse:
    asked = RaiseRequest.objects.select_related("asked_by").filter(pk=asked_id).first()
    user: Any = request.user
    if asked is None or decision not in _DECISIONS or not _may(decision, asked, user):
        raise Http404("Nobody has asked you for this.")
    try:
        with transaction.atomic():
            _DECISIONS[decision](asked, user)
        messages.success(request, f"{wish_text(asked)}: {asked.state}.")
    except (raise_requests.NotPossible, BadLimit) as error:
        messages.error(request, f"{str(error).rstrip('.')}.")
    return redirect("member:raises")


def _may(decision: str, asked: RaiseRequest, user: Any) -> bool:
    if decision == "withdraw":
        return bool(asked.asked_by_id == user.pk)
    return raise_requests.may_decide(asked, user)


def _row(asked: RaiseRequest) -> dict[str, Any]:
    holder = holder_with(asked.subject)
    kind = {"granted": "good", "refused": "bad"}.get(asked.state, "")
    return {
        "asked": asked,
        "wish": wish_text(asked),
        "whose": "deleted" if holder is None else holder.words,
        "kind": kind,
        "ended_early": asked.made is not None and asked.made.ended_at is not None,
    }
