"""`GET /v1/key`: what the caller's key may do, its limits, and what is used of them."""
