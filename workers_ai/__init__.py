"""Speaks with Cloudflare's Workers AI: runs models, reads answers and failures, lists the catalog.

The only package that knows Cloudflare's HTTP API. `client.py` is the way in.
"""
