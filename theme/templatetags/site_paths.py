"""Paths of this site for templates that know no view of it."""

from django import template
from django.urls import get_script_prefix

register = template.Library()


@register.simple_tag
def site_path(path: str = "/") -> str:
    """`path`, which begins with a slash, below URL_PREFIX."""
    return get_script_prefix().rstrip("/") + path
