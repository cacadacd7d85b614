"""The pages of the Django admin on which operators manage keys and owners' limits."""
