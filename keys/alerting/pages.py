"""Pages that alerts lead to."""

from django.urls import reverse


def page_of_key(key_id: int) -> str:
    return reverse("admin:keys_key_change", args=[key_id])


def own_page_of_key(key_id: int) -> str:
    return reverse("member:key", args=[key_id])


def page_of_owner_limits(owner_id: int) -> str:
    return reverse("admin:keys_ownerlimits_change", args=[owner_id])


def page_of_team(team_id: int) -> str:
    return reverse("admin:keys_team_change", args=[team_id])


def own_home() -> str:
    return reverse("member:home")
