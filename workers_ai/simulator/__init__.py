"""A Workers AI of one's own: Cloudflare's HTTP API over a real port, quirks and errors included.

Needs no account and no network. `serve` runs it, `app` answers, `scenarios` lists the ways in which
it misbehaves on demand. It shares no code with the gateway's client, so that neither can hide the
other's mistakes.
"""

# Obviously made up: 32 hexadecimal characters, and a token that looks like one and opens nothing.
DEFAULT_ACCOUNT_ID = "fa4efa4efa4efa4efa4efa4efa4efa4e"
DEFAULT_API_TOKEN = "simulated-token-that-opens-nothing-000000"
