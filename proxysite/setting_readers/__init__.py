"""Reads variables of the environment, for `proxysite/settings.py`. What cannot be used is a
`SettingError` with the variable, its value and what it takes; no message quotes a secret."""
