"""Does once what a refusal asks for, before the client hears of the refusal.

A repair takes a payload that upstream refused and the refusal, and gives a changed payload or
nothing. `kinds.py` lists them; `repairing.py` asks upstream again with what they give, and
remembers which form a model insists on, so that its next request goes out in that form at once.
"""

from openai_api.chat_completions.repair.repairing import Repairs

__all__ = ["Repairs"]
