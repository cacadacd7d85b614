"""The pages on which members sign in, manage their own keys, see their use and try models."""
