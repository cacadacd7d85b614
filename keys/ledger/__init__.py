"""Records each request and its cost durably, and decides budgets in the same transaction.

Other packages use `writer.py`. Its thread takes groups from `queue.py` and writes each with
`group.py`.
"""
