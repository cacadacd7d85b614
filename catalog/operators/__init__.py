"""The catalog in the Django admin: models, aliases, the history, and the button that refreshes."""
