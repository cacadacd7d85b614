"""How templates show a moment: `{% load shown %}`, then `{{ key.expires_at|moment }}`."""

from django import template

from theme.shown import moment

register = template.Library()
register.filter("moment", moment)
