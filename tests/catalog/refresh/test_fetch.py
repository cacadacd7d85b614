from typing import Any

import pytest

from catalog.errors import UpstreamFailed
from catalog.models import CatalogModel
from catalog.refresh.fetch import fetch, usable_entries
from catalog.refresh.run import refresh
from tests.catalog.conftest import Refresh
from tests.catalog.entries import (
    BGE,
    FLUX,
    LEGACY_CHAT,
    LLAMA,
    FakeUpstream,
    entry,
)
from workers_ai.errors import StreamCut, WorkersAIError


class Broken(WorkersAIError):
    pass


def test_schemas_are_read_only_for_models_that_an_endpoint_may_serve(
    refreshed: Refresh, upstream: FakeUpstream
) -> None:
    assert sorted(upstream.asked) == sorted([LLAMA, FLUX, BGE])


def many_models(broken: int) -> FakeUpstream:
    names = [f"@cf/a/model-{number}" for number in range(8)]
    schemas: dict[str, Any] = dict.fromkeys(names, LEGACY_CHAT)
    schemas.update({name: Broken("bad gateway") for name in names[:broken]})
    return FakeUpstream([entry(name) for name in names], schemas)


def test_many_failing_schemas_fail_the_refresh(db: None) -> None:
    with pytest.raises(UpstreamFailed, match="schemas could not be read"):
        refresh(connect=lambda: many_models(broken=3))
    assert not CatalogModel.objects.exists()


async def test_a_fetch_gives_up_on_schemas_once_too_many_failed() -> None:
    upstream = FakeUpstream(
        [entry(f"@cf/a/{number}") for number in range(100)],
        {f"@cf/a/{number}": StreamCut("cut") for number in range(100)},
    )
    with pytest.raises(UpstreamFailed):
        await fetch(upstream)
    assert len(upstream.asked) < 40


def test_odd_entries_are_left_out_and_told(db: None) -> None:
    odd = [None, "text", {}, {"name": 5}, entry(LLAMA), entry(LLAMA, context_window="1")]
    difference = refresh(connect=lambda: FakeUpstream(odd))
    assert difference.names("added") == [LLAMA]
    assert len(difference.warnings) == 5
    assert CatalogModel.objects.get(name=LLAMA).context_window is None


def test_text_that_no_database_takes_is_mended() -> None:
    listed = entry("@cf/a/b")
    listed["description"] = "a\x00b\ud800"
    listed["properties"] = [{"property_id": "price", "value": float("nan")}]
    [mended] = usable_entries([listed])[0]
    assert mended["description"] == "ab?"
    assert mended["properties"][0]["value"] is None
