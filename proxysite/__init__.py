"""Puts the gateway together: settings, the ASGI application, logs, health, start and stop.

The only package that may import all others.
"""
