"""The models that the simulator has: entries, schemas, families, prices, and counting tokens."""
