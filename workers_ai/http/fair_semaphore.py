"""A semaphore whose slots callers share: nobody takes all, and who waits is served in turn.

A caller gets one more slot while it holds fewer than are free (the "dynamic threshold" of packet
switches). So one caller alone ends at half of them, two at a third each, and there is always one
left for who comes next. Waiting callers are served round robin, however many requests each has.

Belongs to one event loop. While there is room a slot costs two looks into a dictionary.
"""

import asyncio
from collections import OrderedDict

# Waiting requests of one caller in the order in which they came. Any of them may leave, and of an
# ordinary dict the first entry is found in no constant time once many before it are gone.
_Line = OrderedDict["asyncio.Future[None]", None]


class FairSemaphore:
    """`slots` of them. A caller is any text that tells one from another."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._held: dict[str, int] = {}
        # Whose turn is next comes first.
        self._waiting: OrderedDict[str, _Line] = OrderedDict()

    def try_acquire(self, caller: str) -> bool:
        """Takes a slot if this caller may have one now: nobody who waits could use it."""
        held = self._held.get(caller, 0)
        if held >= self._free:
            return False
        self._held[caller] = held + 1
        self._free -= 1
        return True

    async def acquire(self, caller: str) -> None:
        """Takes a slot, or waits for the caller's turn; put a time limit around it."""
        if self.try_acquire(caller):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, OrderedDict())[turn] = None
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                self.release(caller)  # it came in the moment in which its receiver gave up
            else:
                self._leave(caller, turn)
            raise

    def release(self, caller: str) -> None:
        """Gives one slot of this caller back, for the next one whose turn it is."""
        held = self._held[caller]
        if held == 1:
            del self._held[caller]
        else:
            self._held[caller] = held - 1
        self._free += 1
        if self._waiting:
            self._serve()

    def _serve(self) -> None:
        while self._free:
            caller = next((one for one in self._waiting if self._may(one)), None)
            if caller is None:
                return
            line = self._waiting[caller]
            turn, _ = line.popitem(last=False)
            if line:
                self._waiting.move_to_end(caller)
            else:
                del self._waiting[caller]
            if not turn.done():  # a cancelled one whose task did not run yet
                self.try_acquire(caller)
                turn.set_result(None)

    def _may(self, caller: str) -> bool:
        return self._held.get(caller, 0) < self._free

    def _leave(self, caller: str, turn: "asyncio.Future[None]") -> None:
        line = self._waiting.get(caller)
        if line is not None:
            line.pop(turn, None)
            if not line:
                del self._waiting[caller]
