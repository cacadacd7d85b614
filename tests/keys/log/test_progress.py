import io

from django.core.management.base import OutputWrapper

from keys.log.progress import Progress
from tests.keys.factories import Clock


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(out, total=None):
    clock = Clock()
    with Progress(OutputWrapper(out), "rows", total, clock) as progress:
        for _ in range(4):
            clock.now += 6
            progress.add(25)
    return out.getvalue()


def test_a_terminal_gets_a_bar_that_is_redrawn_in_its_line():
    text = shown(Terminal(), total=100)
    assert "[###############...............] 50 of 100 rows, 50%" in text
    assert text.count("\n") == 1


def test_elsewhere_there_is_a_plain_line_now_and_then():
    assert shown(io.StringIO()) == "50 rows\n100 rows\n"
