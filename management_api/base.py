"""What all views of the API share: who may ask, how bodies are read, how failures are told."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

from django.conf import settings
from django.db import transaction
from django.http.response import HttpResponseBase
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSetMixin

from keys.models import Revision
from management_api.authentication import ServiceTokenAuthentication
from management_api.etags import etag_of, is_known
from management_api.exceptions import handle
from management_api.idempotency import done_once
from management_api.models import ServiceToken
from management_api.parsing import StrictJson
from management_api.problems import Problem, bad_parameter, not_found
from management_api.scopes import scope_for

BASE: Final = f"{settings.URL_PREFIX}/api"
# What every list takes beside its filters.
PAGING: Final = ("cursor", "page_size")
SerializerT = TypeVar("SerializerT", bound=Serializer[Any])


class AlwaysJson(BaseContentNegotiation):
    """There is one form of answers, whatever `Accept` says."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return next(
            (each for each in parsers if _media_type(request.content_type) == each.media_type),
            None,
        )

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


def _media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


class View(ViewSetMixin, APIView):
    """A view of one family of scopes. Every method reads and writes in words of its serializers."""

    authentication_classes = (ServiceTokenAuthentication,)
    permission_classes = ()
    parser_classes = (StrictJson,)
    content_negotiation_class = AlwaysJson
    lookup_value_regex = "[0-9]{1,18}"
    # None: a service token of any scope may ask.
    family: ClassVar[str | None] = None
    # The parameters that the list takes, beside those of pages.
    filters: ClassVar[tuple[str, ...]] = ()
    # Other actions that give pages.
    paged: ClassVar[tuple[str, ...]] = ()

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        if "CONTENT_LENGTH" not in request.META and "HTTP_TRANSFER_ENCODING" in request.META:
            # The framework takes a body without a length for none.
            request.META["CONTENT_LENGTH"] = str(len(request.body))
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.family is not None:
            self.require(scope_for(self.family, request.method))
        self._check_parameters(request)
        do = getattr(self, "post", None) if request.method == "POST" else None
        if do is not None:
            # `dispatch` takes the handler of the method from here.
            self.post = partial(self._once, do)

    def _once(
        self, do: Callable[..., HttpResponseBase], request: Any, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        return done_once(request, do, *args, **kwargs)

    def _check_parameters(self, request: Any) -> None:
        known = self._parameters(getattr(self, "action", ""))
        for name, values in request.GET.lists():
            if name not in known:
                takes = f"it takes {', '.join(known)}" if known else "it takes none"
                raise bad_parameter(name[:40], f"There is no parameter {name[:40]!r}: {takes}.")
            if len(values) > 1:
                raise bad_parameter(name, f"{name!r} is there twice.")
            if "\0" in values[0]:
                raise bad_parameter(name, f"{name!r} has a NUL character in it.")

    def _parameters(self, action: str) -> tuple[str, ...]:
        if action == "list":
            return (*self.filters, *PAGING)
        return PAGING if action in self.paged else ()

    def require(self, *scopes: str) -> None:
        """Raises Problem where the token lacks one of the scopes."""
        missing = [scope for scope in scopes if scope not in self.token.scopes]
        if missing:
            raise Problem(403, "scope_missing", f"This service token lacks the scope {missing[0]}.")

    @property
    def token(self) -> ServiceToken:
        token: ServiceToken = self.request.auth  # type: ignore[assignment]
        return token

    @property
    def by_id(self) -> int:
        """The account under which changes are told."""
        return self.token.account_id

    def given(self, serializer: type[SerializerT], request: Any) -> dict[str, Any]:
        """The body's fields, checked. A method that takes none has a serializer without fields."""
        read = serializer(data=request.data, context={"request": request})
        read.is_valid(raise_exception=True)
        values: dict[str, Any] = read.validated_data
        return values

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """`Allow` tells the methods."""
        return Response(status=204)

    def get_exception_handler(self) -> Any:
        return handle

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        made = super().finalize_response(request, response, *args, **kwargs)
        made["Cache-Control"] = "no-store"
        return made

    # --- answers ------------------------------------------------------------------------------

    def one(self, shown: Mapping[str, Any], *, status: int = 200, path: str = "") -> Response:
        """One object with its ETag; `path` is where it is from now on, below `/api`."""
        etag = etag_of(_without_secret(shown))
        if (
            status == 200
            and self.request.method in ("GET", "HEAD")
            and is_known(self.request, etag)
        ):
            return Response(status=304, headers={"ETag": etag})
        headers = {"ETag": etag}
        if path:
            headers["Location"] = f"{BASE}{path}"
        return Response(shown, status=status, headers=headers)

    def page(self, shown: Sequence[Mapping[str, Any]], next_cursor: str | None) -> Response:
        return Response({"data": list(shown), "next_cursor": next_cursor})


def _without_secret(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name != "key"}


class NoSuchPath(View):
    """All that no other view has."""

    schema = None

    def nothing(self, request: Any, **kwargs: Any) -> Response:
        raise NotImplementedError

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        APIView.initial(self, request, *args, **kwargs)
        raise not_found("There is no such path below /api/: /api/docs/ tells all.")


@contextmanager
def changing_keys() -> Iterator[None]:
    """A transaction with the lock that every change of keys, teams and limits takes: what is read
    in it is what will be changed."""
    with transaction.atomic():
        Revision.take_next()
        yield
