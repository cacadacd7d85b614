"""Decides from a model's schema and entry which endpoints can run it, and how to call it."""
