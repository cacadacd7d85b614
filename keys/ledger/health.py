"""The health of the ledger, for `/readyz`, the metrics and the dashboard."""

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True, slots=True)
class LedgerHealth:
    running: bool
    depth: int
    full: bool
    oldest_age_s: float
    last_error: str
    degraded_since: float | None
    rows_written: int
    groups_written: int

    @property
    def problem(self) -> str:
        """What is wrong, in a few words; empty when all is well."""
        if not self.running:
            return "the ledger does not run"
        if self.degraded_since is not None:
            return f"the ledger cannot write ({self.last_error}), {self.depth} rows wait"
        if self.full:
            # For example behind a lock, long before that counts as a failure.
            return f"the ledger is full: {self.depth} rows wait for the database"
        if self.oldest_age_s >= settings.BUDGET_TIMEOUT:
            # After this time requests of keys with a budget are refused.
            return f"the ledger has waited for the database for {self.oldest_age_s:.0f} s"
        return ""
