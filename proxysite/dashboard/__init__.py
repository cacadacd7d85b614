"""The index of the admin: use over a period, and the state of limits, ledger and catalog."""
