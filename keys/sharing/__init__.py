"""The rates of the account that all keys share: who waits is served key by key, not by arrival."""
