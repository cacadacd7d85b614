"""Records what each request was and cost, durably, and decides budgets in the same transaction.

`writer.py` is the way in. Its thread takes groups from `queue.py` and writes each with `group.py`.
"""
