"""The database as such: whether it can be used and is migrated, and what its errors say."""
