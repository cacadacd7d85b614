"""`POST /v1/chat/completions`, and the chat that other endpoints' requests run as.

`request/`, `translate/` and `normalise/` are the three pure steps of every endpoint; `answer.py`
writes the answer in OpenAI's form. Responses and Messages use `other_dialects.py` and `blocks.py`.
"""
