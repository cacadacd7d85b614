"""The progress of a refresh, written into its run for the page that shows it."""

import time

from catalog.models import RefreshRun

PROGRESS_EVERY_S = 0.5


class RunProgress:
    """Writes the progress of a refresh, at most every PROGRESS_EVERY_S."""

    def __init__(self, run: RefreshRun) -> None:
        self._run = run
        self._next_at = 0.0

    async def listed(self, models: int, schemas: int) -> None:
        self._run.models_listed, self._run.schemas_wanted = models, schemas
        await self._write()

    async def schema_read(self) -> None:
        self._run.schemas_read += 1
        if time.monotonic() >= self._next_at:
            await self._write()

    async def _write(self) -> None:
        self._next_at = time.monotonic() + PROGRESS_EVERY_S
        await self._run.asave(update_fields=["models_listed", "schemas_wanted", "schemas_read"])
