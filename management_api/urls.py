"""The paths below `/api/`, with and without a slash at their ends."""

from django.urls import re_path
from rest_framework.routers import SimpleRouter

from management_api.base import NoSuchPath, View
from management_api.openapi import page, schema
from management_api.resources.catalog import AliasView, ModelView, RefreshView
from management_api.resources.keys import KeyView
from management_api.resources.limits import LimitView
from management_api.resources.logs import LogView
from management_api.resources.owners import OwnerView
from management_api.resources.raises import RaiseRequestView, RaiseView
from management_api.resources.teams import TeamView
from management_api.resources.usage import UsageView


class Router(SimpleRouter):
    def __init__(self) -> None:
        super().__init__()
        # A redirected POST would lose its body.
        self.trailing_slash = "/?"


router = Router()
VIEWS: dict[str, type[View]] = {
    "keys": KeyView,
    "owners": OwnerView,
    "teams": TeamView,
    "limits": LimitView,
    "raises": RaiseView,
    "raise-requests": RaiseRequestView,
    "usage": UsageView,
    "logs": LogView,
    "models": ModelView,
    "aliases": AliasView,
    "refreshes": RefreshView,
}
for name, view in VIEWS.items():
    router.register(name, view, basename=name)

urlpatterns = [
    *router.urls,
    re_path(r"^schema/?$", schema),
    re_path(r"^docs/?$", page),
    re_path(r"", NoSuchPath.as_view({"get": "nothing"})),
]
