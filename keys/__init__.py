"""Who may call, how much, and what it cost.

Rooms, each importing only from those before it: the ground floor (`models/` and the modules beside
the rooms), `access/`, `ledger/`, `limits/`, `reports/`, `log/`, then `operators/` and `member/`.
"""
