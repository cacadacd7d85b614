"""Captured text: how it is bounded, who reads it, how long it is kept."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from keys.ledger import captured_retention, queue
from keys.ledger.captured import (
    FIRST_CHARACTERS,
    LAST_CHARACTERS,
    BoundedText,
    CapturedTexts,
    laid_out,
    readable,
    without_bytes,
)
from keys.ledger.captured_retention import CapturedSweep
from keys.ledger.writer import LedgerWriter
from keys.log.export import csv_texts
from keys.models import CapturedText, Key, RequestLog
from tests.keys.factories import issued, ledger_row, log_row, user

MOST = FIRST_CHARACTERS + LAST_CHARACTERS
SECRET = "the prompt nobody should see"


# --- what is stored -------------------------------------------------------------------------------


def bounded(*pieces: str) -> BoundedText:
    text = BoundedText()
    for piece in pieces:
        text.add(piece)
    return text


@pytest.mark.parametrize("size", [1, 7, 5000, MOST, 3 * MOST])
def test_a_text_in_pieces_of_any_size_is_cut_alike(size: int) -> None:
    whole = "".join(map(str, range(40_000)))
    text = bounded(*(whole[at : at + size] for at in range(0, len(whole), size)))
    assert text.characters == len(whole)
    assert str(text) == str(bounded(whole))
    assert str(text).startswith(whole[:FIRST_CHARACTERS])
    assert str(text).endswith(whole[-LAST_CHARACTERS:])
    assert f"{len(whole) - MOST:,} characters cut here" in str(text)


@pytest.mark.parametrize("count", [0, 1, FIRST_CHARACTERS, MOST])
def test_what_fits_is_not_cut(count: int) -> None:
    assert str(bounded("x" * count)) == "x" * count


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("data:image/png;base64,AAAA", "[image/png, 3 bytes]"),
        ("data:image/svg+xml;charset=utf-8;base64,AAAABB==", "[image/svg+xml, 4 bytes]"),
        (r'"data:image\/png;base64,AA\/A\n"', r'"[image/png, 3 bytes]\n"'),
        ("see ![a](data:image/gif;base64,AAAA) there", "see ![a]([image/gif, 3 bytes]) there"),
        ("data:text/plain,hello", "data:text/plain,hello"),
        ('{"data": "short"}', '{"data": "short"}'),
        ('{"data":"' + "A" * 400 + '"}', '{"data": "[300 bytes]"}'),
        ('{"data":"' + "a b " * 100 + '"}', '{"data":"' + "a b " * 100 + '"}'),
        ('{"text":"' + "A" * 400 + '"}', '{"text":"' + "A" * 400 + '"}'),
        ('"embedding":[0.5,-1e-3, 2]', '"embedding": "[3 numbers]"'),
    ],
)
def test_pictures_sound_and_vectors_become_a_few_words(text: str, told: str) -> None:
    assert without_bytes(text) == told


def test_bytes_that_are_no_text_are_counted() -> None:
    assert readable(b"\xff\xfe\x00") == "[3 bytes that are no text]"


def test_json_is_laid_out_for_reading_and_all_else_left_alone() -> None:
    assert laid_out('{"a":"ü"}') == '{\n  "a": "ü"\n}'
    assert laid_out("{not json") == "{not json"
    assert laid_out("[" * 100_000) == "[" * 100_000


@pytest.mark.parametrize("levels", [100, 900])
def test_what_would_grow_beyond_reading_is_left_as_it_is(levels: int) -> None:
    text = '{"x":' + "[" * levels + ",".join(["1"] * 49_000) + "]" * levels + "}"
    assert laid_out(text) == text


def test_no_text_that_tells_of_a_row_shows_what_was_captured() -> None:
    texts = CapturedTexts(SECRET, len(SECRET), SECRET, len(SECRET))
    assert SECRET not in repr(ledger_row(captured=texts))
    assert SECRET not in repr(texts)


@pytest.mark.django_db(transaction=True)
def test_text_is_let_go_when_too_many_rows_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "CAPTURED_ROWS", 1)
    writer = LedgerWriter()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        texts = CapturedTexts(SECRET, len(SECRET), "", 0)
        rows = [ledger_row(f"req-{n}", captured=texts) for n in range(3)]
        futures = [writer.put(row, loop) for row in rows]
        writer.start()
        await asyncio.wait_for(asyncio.gather(*futures), 20)

    asyncio.run(main())
    writer.stop(5)
    told = list(CapturedText.objects.order_by("id").values_list("asked", flat=True))
    assert told[0] == SECRET
    assert len(told) == 3
    assert all("Not stored" in text for text in told[1:])
    assert RequestLog.objects.count() == 3


# --- who reads it ---------------------------------------------------------------------------------


def captured(row: RequestLog, **fields: Any) -> CapturedText:
    values = {"asked": SECRET, "asked_characters": len(SECRET), "answered": "<b>hi</b>"}
    return CapturedText.objects.create(
        request_id=row.request_id,
        key_id=row.key_id,
        started_at=row.started_at,
        **{**values, "answered_characters": 9, **fields},
    )


def staff(*codenames: str) -> Client:
    clerk = user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    browser = Client()
    browser.force_login(clerk)
    return browser


def page(browser: Client, row: RequestLog) -> str:
    return browser.get(reverse("admin:keys_requestlog_change", args=[row.pk])).content.decode()


@pytest.mark.django_db
def test_only_who_has_the_permission_reads_it_and_on_the_row_s_page_alone() -> None:
    key, _ = issued()
    row = log_row(key_id=key.pk, started_at=timezone.now())
    captured(row)
    assert SECRET not in page(staff("view_requestlog"), row)
    assert "Can view captured text" in page(staff("view_requestlog"), row)
    reader = staff("view_requestlog", "view_capturedtext")
    html = page(reader, row)
    assert SECRET in html
    assert "&lt;b&gt;hi&lt;/b&gt;" in html
    assert "somebody's prompt" in html
    assert SECRET not in reader.get(reverse("admin:keys_requestlog_changelist")).content.decode()
    assert SECRET not in "".join(csv_texts(RequestLog.objects.all()))


@pytest.mark.django_db
def test_a_row_shows_its_own_text_where_a_client_used_its_id_twice() -> None:
    key, _ = issued()
    first = log_row(key_id=key.pk, started_at=datetime(2027, 1, 1, tzinfo=UTC))
    second = log_row(key_id=key.pk, started_at=datetime(2027, 1, 2, tzinfo=UTC))
    captured(first, asked="the first")
    captured(second, asked="the second")
    reader = staff("view_requestlog", "view_capturedtext")
    assert "the first" in page(reader, first)
    assert "the second" in page(reader, second)


@pytest.mark.django_db
def test_a_row_without_text_says_nothing_of_it() -> None:
    assert "Captured text" not in page(staff("view_requestlog", "view_capturedtext"), log_row())


@pytest.mark.django_db
def test_a_text_that_was_cut_says_so() -> None:
    row = log_row(started_at=timezone.now())
    captured(row, asked_characters=123_456)
    assert "123,456 characters, cut" in page(staff("view_requestlog", "view_capturedtext"), row)


# --- on and off -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_operator_turns_it_on_under_a_warning_and_the_history_says_so() -> None:
    key, _ = issued()
    assert not key.capture_text
    browser = staff("view_key", "change_key")
    url = reverse("admin:keys_key_change", args=[key.pk])
    assert "everything that is sent with this key is stored" in browser.get(url).content.decode()
    form = {"name": key.name, "owner": key.owner_id, "capture_text": "on", "capture_days": "0"}
    assert browser.post(url, form).context["adminform"].form.errors["capture_days"]
    browser.post(url, {**form, "capture_days": "7"})
    key.refresh_from_db()
    assert (key.capture_text, key.capture_days) == (True, 7)
    assert "Store prompts and answers: False → True." in LogEntry.objects.get().change_message
    assert "being stored" in browser.get(url).content.decode()


@pytest.mark.django_db
def test_a_member_is_told_and_cannot_turn_it_on_or_off() -> None:
    key, _ = issued(owner=user("ada"), capture_text=True, capture_days=7)
    plain, _ = issued("plain", owner=user("ada"))
    browser = Client()
    browser.force_login(user("ada"))
    assert "What you send is stored" in browser.get(f"/keys/{key.pk}/").content.decode()
    assert "kept for 7 days" in browser.get(f"/keys/{key.pk}/").content.decode()
    assert "are stored" in browser.get("/").content.decode()
    assert "are stored for 7 days" in browser.get("/playground/").content.decode()
    assert "is stored" not in browser.get(f"/keys/{plain.pk}/").content.decode()
    browser.post(f"/keys/{plain.pk}/limits/", {"capture_text": "on"})
    browser.post("/keys/new/", {"name": "new", "capture_text": "on"})
    assert list(Key.objects.filter(capture_text=True)) == [key]


# --- how long -------------------------------------------------------------------------------------


def texts_of(key: Key, *days_old: float) -> None:
    for days in days_old:
        captured(
            log_row(f"{key.pk}-{days}", key_id=key.pk, started_at=now() - timedelta(days=days))
        )


def now() -> datetime:
    return timezone.now()


def left() -> set[str]:
    return set(CapturedText.objects.values_list("request_id", flat=True))


def pruned(age: str) -> str:
    out = StringIO()
    call_command("prune_logs", "--older-than", age, stdout=out, stderr=StringIO())
    return re.sub(r"\s+", " ", out.getvalue())


@pytest.mark.django_db
def test_text_goes_after_the_days_of_its_key_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captured_retention, "BATCH_ROWS", 2)
    week, _ = issued("week", capture_days=7)
    usual, _ = issued("usual")
    texts_of(week, 1, 6.9, 7.1, 8, 9, 40)
    texts_of(usual, 8, 31, 40)
    assert "Deleted 6 captured texts." in pruned("365d")
    assert left() == {f"{week.pk}-1", f"{week.pk}-6.9", f"{usual.pk}-8"}
    assert RequestLog.objects.count() == 9


@pytest.mark.django_db
def test_text_goes_with_its_row_and_with_its_key() -> None:
    year, _ = issued("year", capture_days=365)
    gone, _ = issued("gone")
    texts_of(year, 1, 100)
    texts_of(gone, 1)
    gone.delete()
    pruned("90d")
    assert left() == {f"{year.pk}-1"}


@pytest.mark.django_db
def test_a_running_gateway_deletes_it_by_itself() -> None:
    week, _ = issued("week", capture_days=7)
    texts_of(week, 1, 8)
    CapturedSweep().look()
    assert left() == {f"{week.pk}-1"}


@pytest.mark.django_db
def test_by_hand_all_text_of_one_key_is_deleted_and_the_history_says_so() -> None:
    key, _ = issued("laptop")
    other, _ = issued("other")
    texts_of(key, 1, 2)
    texts_of(other, 1)
    url = reverse("admin:keys_key_forget_text", args=[key.pk])
    assert staff("view_key", "change_key").post(url).status_code == 403
    browser = staff("view_key", "delete_capturedtext")
    change = reverse("admin:keys_key_change", args=[key.pk])
    assert "Delete captured text" in browser.get(change).content.decode()
    assert "cannot be undone" in browser.get(url).content.decode()
    assert len(left()) == 3
    told = browser.post(url, follow=True).content.decode()
    assert "Deleted the captured text of 2 requests." in told
    assert left() == {f"{other.pk}-1"}
    assert LogEntry.objects.get().change_message == "Deleted the captured text of 2 requests."
    assert "Delete captured text" not in browser.get(change).content.decode()
