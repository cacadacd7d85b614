"""A crowd before the pages waits in turn."""

import asyncio

from django.http import HttpRequest, HttpResponse

from proxysite.page_limit import PAGES_AT_ONCE, SIGN_ONS_AT_ONCE, PageLimitMiddleware


async def test_of_many_pages_at_once_only_some_are_answered_at_a_time() -> None:
    running = highest = 0

    async def page(request: HttpRequest) -> HttpResponse:
        nonlocal running, highest
        running += 1
        highest = max(highest, running)
        await asyncio.sleep(0)
        running -= 1
        return HttpResponse("here")

    limit = PageLimitMiddleware(page)
    answers = await asyncio.gather(*(limit(HttpRequest()) for _ in range(5 * PAGES_AT_ONCE)))
    assert [answer.status_code for answer in answers] == [200] * 5 * PAGES_AT_ONCE
    assert highest == PAGES_AT_ONCE


async def test_a_page_that_fails_or_is_left_makes_room_for_the_next() -> None:
    async def page(request: HttpRequest) -> HttpResponse:
        if request.method == "POST":
            raise ValueError("a page that fails")
        if request.method == "PUT":
            await asyncio.Event().wait()
        return HttpResponse("here")

    def request(method: str) -> HttpRequest:
        made = HttpRequest()
        made.method = method
        return made

    limit = PageLimitMiddleware(page)
    methods = ["POST", "PUT"] * PAGES_AT_ONCE
    tasks = [asyncio.ensure_future(limit(request(method))) for method in methods]
    answer = asyncio.ensure_future(limit(request("GET")))
    await asyncio.wait(tasks[::2])
    for task in tasks[1::2]:
        task.cancel()
    assert (await asyncio.wait_for(answer, 20)).status_code == 200
    assert all(isinstance(each.exception(), ValueError) for each in tasks[::2])


async def test_pages_that_wait_for_the_provider_hold_up_no_others() -> None:
    answered = asyncio.Event()
    asking = 0

    async def page(request: HttpRequest) -> HttpResponse:
        nonlocal asking
        if request.path_info != "/":
            asking += 1
            await answered.wait()
        return HttpResponse("here")

    def request(path: str) -> HttpRequest:
        made = HttpRequest()
        made.path_info = path
        return made

    limit = PageLimitMiddleware(page)
    paths = ["/accounts/sso/", "/accounts/sso/callback/"] * PAGES_AT_ONCE
    waiting = [asyncio.ensure_future(limit(request(path))) for path in paths]
    for _ in range(PAGES_AT_ONCE):
        assert (await asyncio.wait_for(limit(request("/")), 20)).status_code == 200
    assert asking == SIGN_ONS_AT_ONCE
    answered.set()
    assert len(await asyncio.gather(*waiting)) == len(paths)
