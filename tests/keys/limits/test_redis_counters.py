"""The shared counters with a real Redis. Two engines stand for two workers."""

import asyncio
import logging

import pytest
import redis

from keys.limits.counters import Counted, Denial, Limit
from keys.limits.memory_counters import MemoryCounters
from keys.limits.redis_counters import RedisCounters
from tests.keys.engines import RedisServer, redis_server
from tests.keys.factories import Clock
from tests.keys.limits.test_counters import is_denied, key, on_kimi, owner
from tests.needs import program


@pytest.fixture(scope="module")
def server():
    with redis_server() as running:
        yield running


@pytest.fixture
async def worker(server):
    """Makes engines as processes would have them."""
    made = []

    def make(**options):
        made.append(RedisCounters(server.url, **options))
        return made[-1]

    with redis.Redis.from_url(server.url) as direct:
        direct.flushall()
    yield make
    for engine in made:
        await engine.close()


def move_time(server, seconds):
    """As if this time had passed: everything that Redis keeps for the limits is that much older."""
    with redis.Redis.from_url(server.url) as direct:
        for name in direct.keys("wai:*"):
            if direct.type(name) == b"zset":
                for member, score in direct.zrange(name, 0, -1, withscores=True):
                    direct.zadd(name, {member: score - seconds})
            else:
                buckets = direct.hgetall(name)
                moved = {b"sum": buckets.pop(b"sum")}
                for edge in (b"newest", b"gone"):
                    moved[edge] = int(buckets.pop(edge)) - seconds * 2
                for bucket, count in buckets.items():
                    if bucket.startswith(b"t"):
                        moved[f"t{int(bucket[1:]) - seconds * 2}"] = float(count) - seconds
                    else:
                        moved[int(bucket) - seconds * 2] = count
                direct.delete(name)
                direct.hset(name, mapping=moved)


async def released(engine):
    """Its releases are on their way; a client would wait for its row meanwhile."""
    await asyncio.wait([engine._link._line._sender])


@pytest.mark.parametrize("limit", ["rpm", "concurrency"])
async def test_of_fifty_at_once_over_two_workers_with_room_for_seven_seven_pass(worker, limit):
    engines = [worker(), worker()]
    tries = (is_denied(engines[n % 2], key(**{limit: 7})) for n in range(50))
    assert (await asyncio.gather(*tries)).count(False) == 7


async def test_of_fifty_token_reservations_over_two_workers_seven_pass(worker):
    engines = [worker(), worker()]
    holds = [await engines[n % 2].take([key(tpm=700)]) for n in range(50)]
    refused = await asyncio.gather(*(hold.reserve_tokens(100) for hold in holds))
    assert refused.count(None) == 7


async def test_a_request_refused_for_its_owner_takes_nothing_of_its_key(worker):
    engine = worker()
    await engine.take([owner(rpm=1)])
    denial = await engine.take([key(rpm=5), owner(rpm=1)])
    assert denial.scope == owner(rpm=1)
    assert (await engine.take([key(rpm=5)])).requests().used == 1


async def test_a_slot_comes_back_when_its_request_ends(worker):
    engine = worker()
    hold = await engine.take([key(concurrency=1)])
    await hold.reserve_tokens(5)
    hold.release(0)
    await released(engine)
    assert not await is_denied(worker(), key(concurrency=1))


async def test_a_slot_with_reserved_tokens_comes_back_too(worker):
    engine = worker()
    hold = await engine.take([key(tpm=100, concurrency=1)])
    await hold.reserve_tokens(80)
    assert hold.tokens().used == 80
    hold.release(10)
    await released(engine)
    after = await engine.take([key(tpm=100, concurrency=1)])
    assert after.tokens().used == 10


async def test_what_all_workers_counted_is_told_and_nothing_is_counted_by_asking(worker, server):
    first, second = worker(), worker()
    scopes = [key(rpm=5, tpm=100, concurrency=3), owner(rpm=9)]
    hold = await first.take(scopes)
    await hold.reserve_tokens(80)
    await second.take(scopes)
    for _ in range(2):
        mine, owners, none = await second.counted([*scopes, key(2, rpm=1)])
    assert (mine.requests, mine.tokens, mine.running) == (2, 80, 2)
    assert (owners.requests, owners.tokens) == (2, 0)
    assert 0 < mine.requests_reset_after_s <= 60
    assert none == Counted()
    hold.release(30)
    await released(first)
    assert (await second.counted(scopes))[0][2::2] == (30, 1)


async def test_counts_of_sixteen_digits_come_back_whole(worker):
    limit = 9_007_199_254_740_991
    hold = await worker().take([key(rpm=limit, tpm=limit)])
    assert await hold.reserve_tokens(limit - 1) is None
    assert (hold.requests().limit, hold.requests().used) == (limit, 1)
    assert (hold.tokens().limit, hold.tokens().used) == (limit, limit - 1)


async def test_the_slots_of_a_worker_that_died_are_free_after_their_lease(worker, server):
    await worker().take([key(concurrency=1)])
    assert await is_denied(worker(), key(concurrency=1))
    move_time(server, 61)
    assert not await is_denied(worker(), key(concurrency=1))


async def test_a_worker_that_lives_keeps_its_slots(worker, server):
    engine = worker()
    hold = await engine.take([key(concurrency=1)])
    move_time(server, 50)
    await engine.renew_leases()
    move_time(server, 50)
    assert await is_denied(worker(), key(concurrency=1))
    hold.release(0)


async def test_a_released_slot_is_not_brought_back_by_a_late_heartbeat(worker, server):
    engine = worker()
    hold = await engine.take([key(concurrency=1)])
    hold.release(0)
    await released(engine)
    engine._live.add(hold)
    await engine.renew_leases()
    assert not await is_denied(engine, key(concurrency=1))


async def test_a_minute_later_the_requests_are_forgotten(worker, server):
    engine = worker()
    await engine.take([key(rpm=1)])
    denial = await engine.take([key(rpm=1)])
    assert denial.limit is Limit.REQUESTS
    assert 58 < denial.retry_after_s <= 60
    move_time(server, 60)
    assert not await is_denied(engine, key(rpm=1))


async def test_waiting_as_long_as_told_is_enough_and_nobody_waits_for_over_a_minute(worker, server):
    for _ in range(10):
        engine = worker()
        (await engine.take([key(rpm=1, tpm=100)])).release(100)
        await released(engine)
        requests, tokens = await engine.take([key(rpm=1)]), await engine.take([key(tpm=100)])
        hold = await engine.take([key(tpm=200)])
        waits = [requests.retry_after_s, tokens.retry_after_s, hold.tokens().reset_after_s]
        assert 59 < min(waits) <= max(waits) <= 60
        move_time(server, 60)
        last = await engine.take([key(rpm=1, tpm=100)])
        assert (last.requests().used, last.tokens().used) == (1, 0)
        move_time(server, 60)


async def test_what_a_worker_of_release_0_2_0_counted_counts_until_its_half_second_is_over(
    worker, server
):
    engine = worker()
    await engine.take([key(rpm=1)])
    with redis.Redis.from_url(server.url) as direct:
        name = "wai:limits:key:1:requests"
        direct.hdel(name, *[field for field in direct.hkeys(name) if field.startswith(b"t")])
    assert 59 < (await engine.take([key(rpm=1)])).retry_after_s <= 60
    move_time(server, 61)
    assert (await engine.take([key(rpm=1)])).requests().used == 1


async def test_what_is_a_minute_old_leaves_bit_by_bit(worker, server):
    engine = worker()
    for count in range(20):
        hold = await engine.take([key(rpm=100, tpm=1000)])
        assert hold.requests().used == min(count + 1, 9)  # of 0, 7, ... 56 seconds ago
        assert hold.tokens().used == min(count, 8) * 10
        hold.release(10)
        await released(engine)
        move_time(server, 7)


async def test_a_clock_that_is_set_back_loses_and_keeps_nothing(worker, server):
    engine = worker()
    await engine.take([key(rpm=5)])
    move_time(server, -40)
    assert (await engine.take([key(rpm=5)])).requests().used == 2
    move_time(server, 50)
    assert (await engine.take([key(rpm=5)])).requests().used == 3
    move_time(server, 55)
    assert (await engine.take([key(rpm=5)])).requests().used == 2
    move_time(server, 61)
    assert (await engine.take([key(rpm=5)])).requests().used == 1


async def test_a_cancelled_admission_leaves_no_slot_behind(worker):
    engine = worker()
    await engine.take([key(2)])
    task = asyncio.ensure_future(engine.take([key(concurrency=1)]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await released(engine)
    assert not await is_denied(engine, key(concurrency=1))


async def test_without_redis_each_worker_counts_by_itself_and_says_so_once(caplog):
    engine = RedisCounters("redis://:hunter2@127.0.0.1:1/0", fallback=MemoryCounters())
    with caplog.at_level(logging.WARNING):
        refused = [await is_denied(engine, key(rpm=7)) for _ in range(50)]
    assert refused.count(False) == 7
    assert "each worker counts limits by itself" in engine.health()
    assert len(caplog.records) == 1
    assert "hunter2" not in caplog.text
    await engine.close()


async def test_redis_that_comes_back_is_used_again_by_itself(worker, server, caplog):
    clock = Clock()
    engine = worker(clock=clock)
    await engine.take([key(rpm=5)])
    server.stop()
    hold = await engine.take([key(concurrency=5)])
    assert not isinstance(hold, Denial)
    hold.release(3)
    assert engine.health()
    server.start()
    clock.now += 5
    with caplog.at_level(logging.WARNING):
        shared = await engine.take([key(rpm=5)])
    assert shared.requests().used == 1
    assert engine.health() == ""
    assert "shared again" in caplog.text


async def test_while_redis_is_away_what_this_worker_admitted_before_counts(worker, server):
    engine = worker()
    slot, tokens = key(1, concurrency=1), key(2, tpm=100)
    running = await engine.take([slot])
    reserved = await engine.take([tokens])
    assert await reserved.reserve_tokens(60) is None
    server.stop()
    assert await is_denied(engine, slot)
    second = await engine.take([tokens])
    assert (await second.reserve_tokens(60)).limit is Limit.TOKENS
    running.release(0)
    reserved.release(10)
    assert await second.reserve_tokens(60) is None
    assert not await is_denied(engine, slot)
    server.start()


async def test_redis_that_comes_back_empty_is_told_what_runs(worker, server):
    clock = Clock()
    engine = worker(clock=clock)
    before = await engine.take([key(1, concurrency=1)])
    server.stop()
    during = await engine.take([key(2, concurrency=1)])
    server.start()
    clock.now += 5
    await engine.take([key(3, rpm=5)])
    await engine._restoring
    others = worker()
    assert [await is_denied(others, key(n, concurrency=1)) for n in (1, 2)] == [True, True]
    before.release(0)
    during.release(0)
    await released(engine)
    assert [await is_denied(others, key(n, concurrency=1)) for n in (1, 2)] == [False, False]


async def test_a_slot_counts_once_though_redis_missed_its_reservation(worker, server):
    clock = Clock()
    engine = worker(clock=clock)
    scope = key(tpm=100, concurrency=2)
    hold = await engine.take([scope])
    engine._link._note_unreachable(OSError("the network is cut"))
    assert await hold.reserve_tokens(60) is None
    clock.now += 5
    await engine._tell_what_runs("CH")
    second = await worker().take([scope])
    assert second.tokens().used == 60
    hold.release(0)


async def test_a_worker_that_asked_nothing_while_redis_was_away_tells_it_too(worker, server):
    engine = worker()
    running = await engine.take([key(concurrency=1)])
    server.stop()
    server.start()
    await engine.renew_leases()  # as it does every few seconds
    await engine._restoring
    assert await is_denied(worker(), key(concurrency=1))
    running.release(0)


async def test_a_connection_that_was_closed_while_it_rested_is_no_outage(worker, server, caplog):
    engine = worker()
    await engine.take([key(rpm=5)])
    with redis.Redis.from_url(server.url) as direct:
        direct.client_kill_filter(_type="normal", skipme=True)
    assert (await engine.take([key(rpm=5)])).requests().used == 2
    assert engine.health() == ""
    assert not caplog.records


async def test_the_new_master_is_found_though_the_old_one_still_answers(tmp_path, caplog):
    """An address that moves, as a service's does in a failover: connections stay where they are."""
    address = tmp_path / "redis.sock"
    with redis_server() as first, redis_server() as second:
        address.symlink_to(first.url.removeprefix("unix://"))
        engine = RedisCounters(f"unix://{address}")
        hold = await engine.take([key(concurrency=1)])
        address.unlink()
        address.symlink_to(second.url.removeprefix("unix://"))
        with redis.Redis.from_url(first.url) as old:
            old.replicaof("127.0.0.1", "1")
        assert (await engine.take([key(rpm=5)])).requests().used == 1
        await engine._restoring
        assert engine.health() == ""
        assert not caplog.records
        other = RedisCounters(second.url)
        assert await is_denied(other, key(concurrency=1))
        hold.release(0)
        await released(engine)
        await engine.close()
        await other.close()


async def test_a_worker_that_counts_nothing_knows_whether_redis_is_there(worker, server):
    clock = Clock()
    engine = worker(clock=clock)
    assert await engine.look() == ""
    server.stop()
    try:
        assert "does not answer" in await engine.look()
    finally:
        server.start()
    clock.now += 5
    assert await engine.look() == ""


async def test_scripts_that_the_server_forgot_are_told_again(worker, server, caplog):
    engine = worker()
    await engine.take([key(rpm=5)])
    with redis.Redis.from_url(server.url) as direct:
        direct.script_flush()
    assert (await engine.take([key(rpm=5)])).requests().used == 2
    assert engine.health() == ""
    assert not caplog.records


async def test_a_replica_is_told_in_its_own_words(worker, server, caplog):
    engine = worker(fallback=MemoryCounters())
    with redis.Redis.from_url(server.url) as direct:
        direct.replicaof("127.0.0.1", "1")
        try:
            await engine.take([key(rpm=5)])
            assert "read only replica" in engine.health()
            assert "read only replica" in caplog.text
        finally:
            direct.replicaof("NO", "ONE")


async def test_what_mends_it_is_told_with_what_redis_says(worker, server):
    """And limits go on, counted by the worker."""

    async def told(url):
        engine = RedisCounters(url)
        try:
            assert not await is_denied(engine, key(rpm=5))
            return engine.health()
        finally:
            await engine.close()

    accounts = {"noscript": "-@scripting", "notime": "-time", "nokeys": "+@all"}
    with redis.Redis.from_url(server.url) as direct:
        for name, commands in accounts.items():
            keys = ["other:*"] if name == "nokeys" else ["*"]
            commands = ["+@all", commands]
            direct.acl_setuser(name, enabled=True, passwords=["+p"], keys=keys, commands=commands)
        enough = ["-@all", "+@scripting", "+@connection", "+@hash", "+@sortedset", "+@keyspace"]
        direct.acl_setuser(
            "enough", enabled=True, passwords=["+p"], keys=["wai:*"], commands=[*enough, "+time"]
        )
        assert await told(server.url.replace("unix://", "unix://enough:p@")) == ""
        for name in accounts:
            said = await told(server.url.replace("unix://", f"unix://{name}:p@"))
            assert "its account needs the commands" in said, name
        wrong = await told(server.url.replace("unix://", "unix://noscript:wrong-one@"))
        assert "refuses: invalid username-password pair" in wrong
        assert "set REDIS_URL with its password" in wrong
        assert "wrong-one" not in wrong
        assert "no database of it" in await told(server.url + "?db=99")
        direct.config_set("maxmemory", "1")
        assert "raise its maxmemory" in await told(server.url)
        direct.config_set("maxmemory", "0")
    assert "(Connection refused)" in await told("redis://127.0.0.1:1")


async def test_a_cluster_is_told_what_to_do(tmp_path):
    server = RedisServer(program("redis-server"), tmp_path)
    server.start("--cluster-enabled", "yes", "--cluster-config-file", str(tmp_path / "nodes"))
    engine = RedisCounters(server.url)
    try:
        assert "it is a Redis Cluster: set REDIS_URL to a single server" in await engine.look()
        assert not await is_denied(engine, key(rpm=5))
        assert "it is a Redis Cluster: set REDIS_URL to a single server" in engine.health()
    finally:
        await engine.close()
        server.stop()


@pytest.mark.parametrize(
    "says",
    [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        *(b":many\r\n", b"$-7\r\n", b"*1\r\n", b"\x15\x03\x01\x00\x02\x02\x16", b"\r\n", b""),
    ],
)
async def test_what_speaks_something_else_holds_no_request(says):
    async def speak(reader, writer):
        await reader.read(10)
        writer.write(says)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    engine = RedisCounters(f"redis://127.0.0.1:{port}/0", fallback=MemoryCounters())
    try:
        refused = await asyncio.wait_for(is_denied(engine, key(rpm=1)), 30)
        assert not refused and await is_denied(engine, key(rpm=1))
        assert engine.health().startswith("Redis ")
    finally:
        await engine.close()
        listening.close()


async def test_an_option_that_nobody_knows_holds_no_request():
    engine = RedisCounters("redis://:hunter2@127.0.0.1:1/0?no_such=1", fallback=MemoryCounters())
    assert not await asyncio.wait_for(is_denied(engine, key(rpm=1)), 30)
    assert "REDIS_URL has something after its ?" in engine.health()
    await engine.close()


async def test_scripts_go_along_where_they_may_not_be_loaded(worker, server, caplog):
    server.stop()
    server.start("--rename-command", "SCRIPT", "")
    try:
        engine = worker()
        for used in (1, 2, 3):
            assert (await engine.take([key(rpm=5)])).requests().used == used
        assert engine.health() == ""
        assert not caplog.records
    finally:
        server.stop()
        server.start()


async def test_a_server_that_runs_no_scripts_says_so(worker, server):
    server.stop()
    server.start("--rename-command", "SCRIPT", "", "--rename-command", "EVAL", "")
    try:
        engine = worker(fallback=MemoryCounters())
        assert await engine.take([key(rpm=5)])
        assert "unknown command 'EVAL'" in engine.health().replace("`", "'")
        assert "local " not in engine.health()
    finally:
        server.stop()
        server.start()


async def test_a_reservation_that_is_refused_while_its_client_leaves_keeps_no_slot(worker):
    engine = worker()
    scope = key(tpm=100, concurrency=2)
    first, second = await engine.take([scope]), await engine.take([scope])
    await first.reserve_tokens(80)
    task = asyncio.ensure_future(second.reserve_tokens(80))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    second.release(0)
    await released(engine)
    assert not await is_denied(worker(), scope)


async def test_what_is_given_back_leaves_nothing_behind(worker):
    engine, other = worker(), worker()
    limits = {"rpm": 2, "tpm": 100, "concurrency": 2}
    first, refused = await engine.take([key(**limits)]), await other.take([key(**limits)])
    assert await first.reserve_tokens(60, [on_kimi(rpm=1)]) is None
    denial = await refused.reserve_tokens(20, [on_kimi(rpm=1)])
    assert denial.scope.words == "the team research on @cf/moonshotai/*"
    refused.give_back()
    await released(other)
    again = await other.take([key(**limits)])
    assert (again.requests().used, again.tokens().used) == (2, 60)
    again.release(0)
    first.release(0)


async def test_a_model_that_does_not_answer_gets_its_requests_back(worker):
    engine = worker()
    hold = await engine.take([key(rpm=5)])
    assert await hold.reserve_tokens(30, [on_kimi(rpm=1, tpm=40, concurrency=1)]) is None
    hold.give_back_more()
    await released(engine)
    other = await worker().take([on_kimi(rpm=1, tpm=40, concurrency=1)], tokens=40)
    assert other.tokens().used == 40
    hold.release(9)
    await released(engine)
    assert (await engine.take([key(rpm=5, tpm=100)])).tokens().used == 9
    other.release(0)
