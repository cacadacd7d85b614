"""Simulates Workers AI: Cloudflare's HTTP API on a real port, with its quirks and errors.

Needs no account and no network. `serve` runs it, `app` answers, `scenarios` has the ways in which
it departs from that on demand. It shares no code with the gateway's client, so that neither can
hide the other's mistakes.
"""

# Made up: an id of 32 hexadecimal characters, and a token that is valid nowhere else.
DEFAULT_ACCOUNT_ID = "fa4efa4efa4efa4efa4efa4efa4efa4e"
DEFAULT_API_TOKEN = "simulated-token-that-opens-nothing-000000"
