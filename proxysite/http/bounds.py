"""What a stranger may send on a connection. The times are settings (`connections.py`)."""

from typing import Final

MOST_HEAD_BYTES: Final = 64 * 1024
MOST_URL_BYTES: Final = 16 * 1024
MOST_HEADERS: Final = 256
# Requests on one connection that wait for the one before them.
MOST_WAITING: Final = 16
# The least pace of a body, over all of it and after ten times the longest gap: who sends a byte now
# and then keeps no place for hours, and the slowest line is faster.
LEAST_BODY_BYTES_PER_S: Final = 1024
PATIENCE_IN_GAPS: Final = 10
# A body may come in chunks of a few bytes, each of which costs as much as a large one.
FREE_PARTS: Final = 50_000
LEAST_PART_BYTES: Final = 256
# For how long a body that nobody wants is read, to let its client read why.
LINGER_S: Final = 30.0
