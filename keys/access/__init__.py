"""Tells who is calling, from memory: the key that was sent, or a token of the playground."""
