"""Decides whether a key may make a request now, and counts what the request takes until it ends.

Other packages call `admission.py`, which returns a `Ticket`.
"""
