"""`POST /v1/images/generations`: pictures drawn from a text."""
