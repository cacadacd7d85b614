"""The paths below `/api/`, with and without a slash at their ends. Imported with the first request
that asks for a page, not at the start of a worker."""

from django.urls import re_path
from rest_framework.routers import SimpleRouter

from management_api.base import NoSuchPath
from management_api.resources.keys import KeyView


class Router(SimpleRouter):
    def __init__(self) -> None:
        super().__init__()
        # A redirected POST would lose its body.
        self.trailing_slash = "/?"


router = Router()
for name, view in (("keys", KeyView),):
    router.register(name, view, basename=name)

urlpatterns = [
    *router.urls,
    re_path(r"", NoSuchPath.as_view({"get": "nothing"})),
]
