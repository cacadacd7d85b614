"""Which models can be run through which endpoints, at what price, and by which aliases.

Knows Cloudflare's list of models as data; only `catalog/refresh/` asks for it. A request looks
models up in memory (`snapshot.py`, `resolve.py`).
"""
