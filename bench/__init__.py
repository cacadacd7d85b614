"""Measures the gateway beside its peers and the limits: `make bench`. Nothing of it is served."""
