"""OpenAI's API in front of Workers AI: one folder for each endpoint, and what they share.

`pipeline.py` has the steps of every request in their order, each endpoint's folder its own part of
them. `wire/` moves bytes, `use/` counts what was used, `errors/` words every failure. Imports point
from the endpoints to `pipeline.py` and on to these rooms, never back.
"""
