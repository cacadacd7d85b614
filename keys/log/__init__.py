"""Serves the request log: search, filters, admin pages, explanation of a row, export, erasure."""
