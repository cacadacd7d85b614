"""`POST /v1/images/edits`: pictures drawn from a text and other pictures."""
