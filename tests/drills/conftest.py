"""Drills take minutes: `make drills` runs them, `make test` does not."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.drill)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]):
    """Prints a line of figures for whoever runs the drill."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}", end="")

    return line
