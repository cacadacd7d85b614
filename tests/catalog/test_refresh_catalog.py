import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from catalog.models import CatalogModel
from tests.catalog.entries import LLAMA, FakeUpstream, entry
from workers_ai.errors import WorkersAIError

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _connected(upstream: FakeUpstream, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.CLOUDFLARE_ACCOUNT_ID = "0" * 32
    monkeypatch.setattr("workers_ai.configured.client_from_settings", lambda: upstream)


def test_prints_added_changed_and_retired(
    upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("refresh_catalog")
    upstream.entries[0] = entry(LLAMA, context_window="8000")
    upstream.entries[3] = entry("@cf/a/new", "Translation")
    capsys.readouterr()
    call_command("refresh_catalog")
    lines = capsys.readouterr().out.splitlines()
    assert "+ @cf/a/new" in lines
    assert "- @cf/microsoft/resnet-50" in lines
    assert any(line.startswith(f"~ {LLAMA}: context window 24000 → 8000") for line in lines)
    assert lines[-1] == "4 models listed: 1 added, 1 changed, 1 retired."


def test_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("refresh_catalog", "--json")
    assert len(json.loads(capsys.readouterr().out)["added"]) == 4


def test_failure_is_one_line_and_leaves_the_catalog(upstream: FakeUpstream) -> None:
    call_command("refresh_catalog")
    upstream.entries = WorkersAIError("line one\nline two")  # type: ignore[assignment]
    with pytest.raises(CommandError) as failure:
        call_command("refresh_catalog")
    assert str(failure.value) == "The list of models could not be read: line one line two"
    assert CatalogModel.objects.filter(retired_at__isnull=True).count() == 4


def test_force_takes_a_shrunken_list(
    upstream: FakeUpstream, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("refresh_catalog")
    del upstream.entries[1:]
    with pytest.raises(CommandError, match="--force"):
        call_command("refresh_catalog")
    call_command("refresh_catalog", "--force")
    assert capsys.readouterr().out.splitlines()[-1] == "1 model listed: 3 retired."
