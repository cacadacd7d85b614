"""The rows of a holder's table of limits in the admin: amount, what it counts, which models."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError
from django.forms.models import BaseModelFormSet
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from keys.held_limits import Subject
from keys.models import Limit, normal_patterns
from keys.scopes import HolderKind
from keys.written_limits import KINDS, LimitKind, models_from_text
from theme.model_admin import FewNewRows

# Until a new holder has an id.
_NO_ID_YET: Final = -1
_FIELD_OF: Final = {"amount": "at_most", "window": "kind", "model_patterns": "models"}


class LimitForm(forms.ModelForm):
    # Whether whoever sent it may add a limit, or change this one.
    may_add = may_change = True
    at_most = forms.CharField(
        label="At most",
        max_length=32,
        widget=UnfoldAdminTextInputWidget(
            attrs={"aria-label": "At most", "inputmode": "decimal", "size": 10}
        ),
    )
    kind = forms.ChoiceField(
        label="Of what",
        choices=[(name, kind.words) for name, kind in KINDS.items()],
        initial="rpd",
        widget=UnfoldAdminSelectWidget(attrs={"aria-label": "Of what"}),
    )
    models = forms.CharField(
        label="For these models only",
        required=False,
        max_length=4000,
        help_text="Patterns such as @cf/moonshotai/*, with spaces between. Empty: all models.",
        widget=UnfoldAdminTextInputWidget(
            attrs={"aria-label": "For these models only", "placeholder": "all models"}
        ),
    )

    class Meta:
        model = Limit
        fields: ClassVar[list[str]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limit = self.instance
        if limit.pk is not None:
            kind = LimitKind.of(limit.subject)
            self.initial["at_most"] = kind.unit.show(limit.amount)
            self.initial["kind"] = kind.name
            self.initial["models"] = " ".join(limit.model_patterns)

    def has_changed(self) -> bool:
        if not (self.may_add if self.instance.pk is None else self.may_change):
            return False
        # The choice alone makes no limit.
        return bool(set(self.changed_data) - {"kind"}) or (
            self.instance.pk is not None and "kind" in self.changed_data
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        kind = KINDS.get(values.get("kind", ""))
        if kind is not None and "at_most" in values:
            try:
                values["amount"] = kind.amount(values["at_most"])
            except ValueError as error:
                self.add_error("at_most", f"{str(error).capitalize()}.")
        return values

    def _post_clean(self) -> None:
        """Django's own would ask only for fields of the model that are fields here."""
        values = self.cleaned_data
        if self.errors or values.get("amount") is None:
            return
        kind = KINDS[values["kind"]]
        limit = self.instance
        limit.what, limit.window = kind.what, kind.window
        limit.amount = values["amount"]
        limit.model_patterns = normal_patterns(models_from_text(values["models"]))
        try:
            limit.clean()
        except ValidationError as error:
            self.add_error(None, _in_fields(error))

    @property
    def before(self) -> str:
        return _row_text(self.initial)

    @property
    def after(self) -> str:
        return _row_text(self.cleaned_data)


class LimitFormSet(FewNewRows, BaseModelFormSet):
    """All limits of one holder, which need not be stored yet."""

    holder_kind: ClassVar[HolderKind]

    def __init__(
        self,
        data: Any = None,
        files: Any = None,
        instance: Any = None,
        save_as_new: bool = False,
        prefix: str | None = None,
        queryset: Any = None,
        **kwargs: Any,
    ) -> None:
        self.instance = instance
        prefix = prefix or self.get_default_prefix()
        if data is not None and f"{prefix}-TOTAL_FORMS" not in data:
            # Sent by a script that knows the holder's own fields only: no limit changes.
            data = {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
        mine = Limit.objects.filter(holder_kind=self.holder_kind, holder_id=self._holder_id())
        super().__init__(data, files, prefix=prefix, queryset=mine.order_by("pk"), **kwargs)

    @classmethod
    def get_default_prefix(cls) -> str:
        return f"limits_of_{cls.holder_kind}"

    def _holder_id(self) -> int:
        if self.holder_kind == "everybody":
            return 0
        if self.instance is None or self.instance.pk is None:
            return _NO_ID_YET
        return int(self.instance.pk)

    @property
    def whose(self) -> str:
        """As `raise_limit` takes it; empty where nothing can be raised yet."""
        if self.holder_kind == "everybody":
            return "everybody"
        if self.holder_kind == "user" or self._holder_id() == _NO_ID_YET:
            return ""
        name = {"owner": "owner", "team": "name"}.get(self.holder_kind, "pk")
        return f"{self.holder_kind}:{getattr(self.instance, name)}"

    def _construct_form(self, i: int, **kwargs: Any) -> Any:
        form = super()._construct_form(i, **kwargs)  # type: ignore[misc]
        form.instance.holder_kind, form.instance.holder_id = self.holder_kind, self._holder_id()
        return form

    def clean(self) -> None:
        super().clean()
        seen, unseen = set(), self._stored_beside()
        for form in self.forms:
            if (not form.has_changed() and form.instance.pk is None) or self._is_deleted(form):
                continue
            subject = form.instance.subject
            if not form.errors and subject in seen:
                form.add_error("kind", "Another line of this table has the same limit.")
            elif not form.errors and subject in unseen:
                form.add_error("kind", "There is such a limit by now: open this page anew.")
            seen.add(subject)

    def _stored_beside(self) -> set[Subject]:
        """What somebody has added since this form was shown."""
        known = {form.instance.pk for form in self.forms}
        mine = Limit.objects.filter(holder_kind=self.holder_kind, holder_id=self._holder_id())
        return {limit.subject for limit in mine if limit.pk not in known}

    def _is_deleted(self, form: Any) -> bool:
        return bool(self.can_delete and self._should_delete_form(form))  # type: ignore[attr-defined]

    def save_new(self, form: Any, commit: bool = True) -> Any:
        # The holder has an id by now.
        form.instance.holder_id = self._holder_id()
        return super().save_new(form, commit)

    def changes_told(self) -> list[str]:
        """For the history, once it is saved."""
        forms: list[Any] = self.forms
        told = []
        for form in forms:
            if self._is_deleted(form):
                told += [f"Limit {form.before} → none."] if form.before else []
            elif form.has_changed():
                told.append(f"Limit {form.before or 'none'} → {form.after}.")
        return told


def _row_text(values: Mapping[str, Any]) -> str:
    """As the commands write it: 'rpm=20 @cf/moonshotai/*'."""
    if not values.get("at_most"):
        return ""
    return f"{values['kind']}={values['at_most']} {values.get('models', '')}".strip()


def _in_fields(error: ValidationError) -> ValidationError:
    if not hasattr(error, "error_dict"):
        return error
    return ValidationError(
        {_FIELD_OF.get(field, "kind"): errors for field, errors in error.error_dict.items()}
    )
