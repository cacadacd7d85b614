"""Decides whether a key may make a request now, and holds what the request takes until it ends.

`admission.py` is the way in and gives a `Ticket`.
"""
