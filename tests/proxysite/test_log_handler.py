"""Lines of one turn of the event loop leave together, in their order, and none is lost."""

import asyncio
import io
import logging

import pytest

from proxysite.log_handler import TurnHandler


class Written(io.StringIO):
    """Counts the writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, text: str) -> int:
        self.writes += 1
        return super().write(text)


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def logger(written: Written) -> logging.Logger:
    handler = TurnHandler()
    handler.setStream(written)
    made = logging.Logger("turns")
    made.addHandler(handler)
    return made


async def test_lines_of_one_turn_are_one_write(logger: logging.Logger, written: Written) -> None:
    for number in range(5):
        logger.info("line %d", number)
    assert written.getvalue() == ""
    await asyncio.sleep(0)
    assert written.getvalue().split("\n") == [*(f"line {number}" for number in range(5)), ""]
    assert written.writes == 1


async def test_an_error_waits_for_nothing(logger: logging.Logger, written: Written) -> None:
    logger.info("before")
    logger.error("trouble")
    assert written.getvalue() == "before\ntrouble\n"
    await asyncio.sleep(0)
    assert written.getvalue() == "before\ntrouble\n"


async def test_a_thread_writes_at_once_and_in_order(
    logger: logging.Logger, written: Written
) -> None:
    logger.info("of the loop")
    await asyncio.to_thread(logger.info, "of a thread")
    assert written.getvalue() == "of the loop\nof a thread\n"


async def test_what_waits_is_written_when_logging_shuts_down(
    logger: logging.Logger, written: Written
) -> None:
    logger.info("last words")
    for handler in logger.handlers:
        handler.flush()
    assert written.getvalue() == "last words\n"


def test_without_a_loop_a_line_is_written_at_once(logger: logging.Logger, written: Written) -> None:
    logger.info("plain")
    assert written.getvalue() == "plain\n"
