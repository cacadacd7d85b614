"""The operators' admin site: its menu, and the parts of the theme that are switched off."""

from typing import Any, Final

from django.conf import settings
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from unfold.sites import UnfoldAdminSite

# Heading, then object name and icon of each model; shown to those who may see the model.
MENU: Final = (
    (
        "Keys and usage",
        {
            "RequestLog": "receipt_long",
            "Key": "key",
            "OwnerLimits": "speed",
            "Team": "groups",
            "Everybody": "public",
            "Raise": "trending_up",
            "RaiseRequest": "front_hand",
            "Alert": "notifications",
        },
    ),
    (
        "Catalog",
        {
            "CatalogModel": "deployed_code",
            "Alias": "alt_route",
            "CatalogChange": "history",
            "RefreshRun": "sync",
        },
    ),
    (
        "Accounts",
        {
            "User": "person",
            "Group": "group",
            "ServiceToken": "smart_toy",
            "SocialAccount": "link",
            "LogEntry": "fact_check",
        },
    ),
)
# Further pages: the model whose viewers may see it, its words, icon and name.
PAGES: Final = (("RequestLog", "Usage by month", "request_quote", "admin:keys_requestlog_report"),)


def ways_in() -> dict[str, Any]:
    """What pages for signing in offer: the provider of single sign-on by its name, passwords."""
    return {
        "single_sign_on_name": settings.OIDC_NAME if settings.OIDC_ISSUER else "",
        "has_passwords": not settings.OIDC_ONLY,
    }


class OperatorSite(UnfoldAdminSite):
    site_header = "Workers AI Gateway"
    site_title = "Workers AI Gateway"
    index_title = "Dashboard"

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        # They are in theme/tokens.css: the theme would write them into each page, inline.
        return {**context, **ways_in(), "colors": None, "border_radius": None}

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        shown = {
            model["object_name"]: model
            for app in self.get_app_list(request)
            for model in app["models"]
        }
        index = reverse("admin:index")
        groups = [{"title": "", "items": [_item("Dashboard", "monitoring", index, request)]}]
        for title, icons in MENU:
            items = []
            for name, icon in icons.items():
                if name in shown and shown[name]["admin_url"]:
                    link = shown[name]["admin_url"]
                    items.append(_item(self._words(shown[name]), icon, link, request))
                    items += self._pages_beside(name, request, items[-1])
            if items:
                groups.append({"title": title, "items": items})
        return groups

    def _pages_beside(
        self, name: str, request: HttpRequest, listed: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Pages of a model that are no list, below it; only the one that is open is marked."""
        pages = [
            _item(words, icon, reverse(view), request)
            for model, words, icon, view in PAGES
            if model == name
        ]
        if any(page["active"] for page in pages):
            listed["active"] = False
        return pages

    def _words(self, model: dict[str, Any]) -> str:
        words: str = getattr(self._registry[model["model"]], "list_words", "") or model["name"]
        return words

    def search(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponseBase:
        """The theme's own would search apps by name and fail on invalid page numbers. The menu has
        every list, and each list has its own search."""
        raise Http404


def _item(title: Any, icon: str, link: str, request: HttpRequest) -> dict[str, Any]:
    is_index = link == reverse("admin:index")
    active = request.path == link if is_index else request.path.startswith(link)
    return {
        "title": title,
        "icon": icon,
        "link": link,
        "active": active,
        "has_permission": True,
    }
