"""The management API at `/api/`: what operators do in the admin, for scripts and with tokens.

Nothing here has a rule of its own about keys, teams, limits or the catalog: each view calls what
the admin and the commands call."""
