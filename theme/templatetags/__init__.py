"""What the templates of all pages share: filters, loaded by `{% load shown %}`."""
