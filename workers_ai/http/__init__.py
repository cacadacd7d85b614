"""HTTP/1.1 with upstream: connections, and the pool that keeps them."""
