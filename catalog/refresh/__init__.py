"""Brings the stored catalog up to date: fetches the list, compares, stores, tells what changed."""
