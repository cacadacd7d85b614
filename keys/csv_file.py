"""A CSV file in pieces, written while its lines are read, as a text or as the answer of a page."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from keys.csv_cells import cell

PIECE_ROWS: Final = 200


def csv_texts(fields: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Pieces of PIECE_ROWS rows, the header first."""
    piece = io.StringIO()
    writer = csv.writer(piece)
    writer.writerow(fields)
    # Without waiting: it may take long until there is a first row.
    yield piece.getvalue()
    piece.seek(0)
    piece.truncate()
    for number, row in enumerate(rows, 1):
        writer.writerow([cell(value) for value in row])
        if number % PIECE_ROWS == 0:
            yield piece.getvalue()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue()


def csv_response(texts: Iterator[str], filename: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(_streamed(texts), content_type="text/csv")
    response["Content-Disposition"] = f'attachment; filename="{filename}"'
    return response


async def _streamed(texts: Iterator[str]) -> AsyncIterator[str]:
    """Sends each piece when it is made, on a thread: Django would read a synchronous iterator to
    its end before the first byte is sent."""
    while True:
        text = await sync_to_async(lambda: next(texts, None))()
        if text is None:
            return
        yield text
