"""Measures the gateway beside its peers and lower bounds: `make bench`. No gateway imports it."""
