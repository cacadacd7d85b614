"""HTTP with clients: their connections, bounded in size and time, and what is refused on them."""
