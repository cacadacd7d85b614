"""Answers questions about use over time, from the totals of days and months."""
