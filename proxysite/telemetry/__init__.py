"""Traces and metrics over OTLP, for a collector that the settings name; nothing without one."""
