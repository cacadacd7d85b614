"""Pages that alerts lead to."""

from django.urls import reverse


def page_of_key(key_id: int) -> str:
    return reverse("admin:keys_key_change", args=[key_id])


def own_page_of_key(key_id: int) -> str:
    return reverse("member:key", args=[key_id])


def page_of_owner(owner_id: int) -> str:
    return reverse("admin:auth_user_change", args=[owner_id])


def own_home() -> str:
    return reverse("member:home")
