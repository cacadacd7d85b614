"""`POST /v1/embeddings`: texts as vectors, in as many upstream calls as the model needs."""
