"""What Cloudflare's failure answers say: any shape read, and one class of `errors.py` chosen.

`body.py` finds code, words and status in the shapes that are known, and the words in those that are
not; `token_counts.py` finds the numbers in words about length; `reset.py` finds when another
try may pass; `reader.py` chooses
the class, by the sentences of `wordings.py` first.
"""
