"""Reads the request log: search, filters, pages of the admin, explained rows, export."""
