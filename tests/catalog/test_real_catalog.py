"""A real catalog, where a copy is at hand: WORKERS_AI_CATALOG_DIR names a folder with `search.json`
and `schemas/<model name with __ for />.json`.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from catalog import snapshot
from catalog.refresh.run import refresh
from catalog.resolve import listing
from tests.catalog.entries import FakeUpstream

FOLDER = Path(os.environ.get("WORKERS_AI_CATALOG_DIR", "/nonexistent"))

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        not (FOLDER / "search.json").exists(), reason="WORKERS_AI_CATALOG_DIR names no catalog"
    ),
]


@pytest.fixture
def real() -> FakeUpstream:
    entries: list[Any] = json.loads((FOLDER / "search.json").read_text())
    schemas = {
        path.stem.replace("__", "/"): json.loads(path.read_text())
        for path in (FOLDER / "schemas").glob("*.json")
    }
    return FakeUpstream(entries, schemas)


def test_every_model_is_stored_without_a_doubt(real: FakeUpstream) -> None:
    difference = refresh(connect=lambda: real)
    assert len(difference.names("added")) == len(real.entries)
    assert difference.warnings == ()


def test_the_picture_list_is_what_runs_from_a_prompt_alone(real: FakeUpstream) -> None:
    refresh(connect=lambda: real)
    snapshot.load()
    pictures = {
        entry["name"]
        for entry in real.entries
        if entry["task"]["name"] == "Text-to-Image"
        and not entry["name"].endswith(("-img2img", "-inpainting"))
    }
    assert {entry.id for entry in listing(served=["images"], allows=lambda _: True)} == pictures
