"""`POST /v1/rerank`: documents ordered by how well they answer a query."""
