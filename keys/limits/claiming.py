"""Asks the ledger for what a request reserves of budgets."""

import asyncio
import time
from asyncio import sleep

from django.conf import settings

from keys import errors
from keys.access.key_record import KeyRecord
from keys.ledger.claims import SHARE_ENDS_WITHIN_S, SHARE_LIFE_S, Claim, Decision, Shortfall
from keys.ledger.writer import LedgerWriter


async def claimed(claim: Claim, key: KeyRecord, ledger: LedgerWriter) -> Decision:
    """The ledger's decision: a `Shortfall` only once nothing of the budget is idle in shares of
    busy keys. Raises LedgerUnavailable after BUDGET_TIMEOUT, RowRefused.
    """
    loop = asyncio.get_running_loop()
    decision = await _decided(claim, loop, ledger)
    if isinstance(decision, Shortfall):
        decision = await _without_shares(claim, decision, loop, ledger)
    if not isinstance(decision, Shortfall):
        ledger.shares.note_claim(loop, key, claim)
    return decision


async def _decided(claim: Claim, loop: asyncio.AbstractEventLoop, ledger: LedgerWriter) -> Decision:
    decided = ledger.claim(claim)
    limit_s = settings.BUDGET_TIMEOUT
    timer = loop.call_later(limit_s, _give_up, decided, limit_s)
    try:
        return await decided
    finally:
        timer.cancel()


async def _without_shares(
    claim: Claim, short: Shortfall, loop: asyncio.AbstractEventLoop, ledger: LedgerWriter
) -> Decision:
    give_up_at = time.monotonic() + SHARE_LIFE_S + SHARE_ENDS_WITHIN_S
    decision: Decision = short
    while isinstance(decision, Shortfall) and time.monotonic() < give_up_at:
        wait_s = ledger.shares.make_room(loop, decision)
        if wait_s < 0:
            break
        if wait_s:
            await sleep(wait_s)
        decision = await _decided(claim, loop, ledger)
    return decision


def _give_up(decided: "asyncio.Future[Decision]", after_s: float) -> None:
    if not decided.done():
        decided.set_exception(
            errors.LedgerUnavailable(
                f"The database did not confirm a reservation within {after_s:g} s."
            )
        )
