"""`GET /v1/models`: the models that the caller's key may use."""
