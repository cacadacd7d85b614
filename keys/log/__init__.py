"""Reads the request log: searches it, shows it in the admin, explains a row, exports it."""
