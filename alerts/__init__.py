"""What operators and owners are told without asking: each event once, by webhook and by mail.

`findings.py` has the form of what is found, `store.py` keeps it, `delivery.py` sends it. What can
happen is known elsewhere: rules about keys and models stand in those packages, and
`proxysite/alerting/` evaluates them.
"""
