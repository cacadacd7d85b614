"""How long the simulated models take."""

import asyncio
from dataclasses import dataclass

FIRST_TOKEN_SECONDS = 0.25
TOKEN_SECONDS = 0.02
IMAGE_SECONDS = 1.0
TASK_SECONDS = 0.15


@dataclass(frozen=True)
class Pace:
    """Waits, divided by `speed`; a speed of 0 means not to wait at all."""

    speed: float = 1.0

    def scaled(self, seconds: float) -> float:
        return seconds / self.speed if self.speed else 0.0

    async def wait(self, seconds: float) -> None:
        # Always yields to the loop once, so that a cancelled answer stops at any speed.
        await asyncio.sleep(self.scaled(seconds))
