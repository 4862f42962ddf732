"""The client and a real server: TIDINGS_BINARY=PATH python -m pytest real.py"""

from __future__ import annotations

import asyncio
import pathlib
import signal

import pytest

from tidings import Client, Gap, Publication, Published, TidingsError
from .support import BINARY, proxied, running, within

pytestmark = pytest.mark.skipif(not BINARY, reason="TIDINGS_BINARY names no server")
MESSAGES = 1000
WINDOW = 10


async def publish_all(client: Client, channel: str, pause: float, at: dict[int, asyncio.Event]) -> list[Published]:
    """Publishes the numbers, some at a time, and tells who waits for one that it is about to be sent."""
    found: list[Published] = []
    for first in range(0, MESSAGES, WINDOW):
        for number in range(first, first + WINDOW):
            if number in at:
                at[number].set()
        found += await asyncio.gather(*(client.publish(channel, number) for number in range(first, first + WINDOW)))
        await asyncio.sleep(pause)
    return found


def test_all_of_1000_messages_arrive_in_order_through_20_cut_connections(tmp_path: pathlib.Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as server, proxied(server.port) as (proxy, url):
            # The waits do not grow: these connections are cut before they count as stable.
            async with Client(url, base=0.02, cap=0.1) as reader, Client(url, base=0.02, cap=0.1) as writer:
                gaps: list[Gap] = []
                subscription = reader.subscribe("cut", on_gap=gaps.append)
                await subscription.ready()
                at = {number: asyncio.Event() for number in range(40, 1000, 50)}
                assert len(at) == 20
                cuts = 0

                async def cut() -> None:
                    nonlocal cuts
                    for event in at.values():
                        await event.wait()
                        while not proxy.cut():
                            await asyncio.sleep(0.005)
                        cuts += 1

                cutting = asyncio.create_task(cut())
                publishing = asyncio.create_task(publish_all(writer, "cut", 0.03, at))
                heard: list[Publication] = []
                async for publication in subscription:
                    heard.append(publication)
                    if len(heard) == MESSAGES:
                        break
                published = await publishing
                await cutting
                assert [each.data for each in heard] == list(range(MESSAGES))
                assert [each.offset for each in heard] == list(range(1, MESSAGES + 1))
                assert [each.offset for each in published] == list(range(1, MESSAGES + 1))
                assert (gaps, cuts) == ([], 20)
                assert proxy.accepted >= 22, "each cut broke a connection"
                print(f"1000 of 1000 through {cuts} cuts, {proxy.accepted} connections")

    within(work())


def test_nothing_is_lost_unnoticed_when_the_server_is_killed_and_started_again(tmp_path: pathlib.Path) -> None:
    async def work() -> None:
        # The reader comes back later than the writer, which publishes meanwhile: that is lost to it, and told.
        async with running(tmp_path) as server, Client(server.url, base=0.5) as reader, Client(server.url, base=0.02) as writer:
            seen: list[Publication | Gap] = []
            subscription = reader.subscribe("killed", on_gap=seen.append)
            await subscription.ready()
            at = {500: asyncio.Event()}

            async def kill() -> None:
                await at[500].wait()
                await asyncio.sleep(0.003)  # in the middle of what was sent
                await server.end(signal.SIGKILL)
                await server.start()

            async def read() -> None:
                async for publication in subscription:
                    seen.append(publication)

            reading = asyncio.create_task(read())
            killing = asyncio.create_task(kill())
            published = await publish_all(writer, "killed", 0.005, at)
            await killing
            # On a busy machine it may be back only after all of them: then it has to receive what comes next.
            while not any(isinstance(each, Gap) for each in seen):
                await asyncio.sleep(0.02)
            published.append(await writer.publish("killed", MESSAGES))
            last = f"{published[-1].epoch}:{published[-1].offset}"
            while subscription.position != last:
                await asyncio.sleep(0.02)
            subscription.close()
            await reading
            account(seen, published)

    within(work())


def account(seen: list[Publication | Gap], published: list[Published]) -> None:
    """What the protocol promises: each gap told, none else, nothing twice, and nothing missing but what the gap says."""
    gaps = [each for each in seen if isinstance(each, Gap)]
    heard = [each for each in seen if isinstance(each, Publication)]
    assert len(gaps) == 1, "the server's memory was lost once"
    epoch, _, offset = gaps[0].position.partition(":")
    begin = seen.index(gaps[0])
    before, after = heard[:begin], heard[begin:]
    assert {each.position.partition(":")[0] for each in after} == {epoch}
    assert [each.offset for each in before] == list(range(1, len(before) + 1))
    assert [each.offset for each in after] == list(range(int(offset) + 1, int(offset) + 1 + len(after)))
    positions = [each.position for each in heard]
    assert len(set(positions)) == len(positions)
    # What was answered and not heard: lost with the memory, or published before the reader was back, which the gap tells.
    missing = set(range(MESSAGES)) - {each.data for each in heard}
    for number in missing:
        answer = published[number]
        assert answer.offset <= int(offset) if answer.epoch == epoch else answer.offset > len(before), answer
    # What was on its way when the server was killed may have been heard, and is published once more by the new one.
    twice = len(heard) - len({each.data for each in heard})
    assert twice <= WINDOW
    print(f"{len(before)} before the kill, {len(after)} after it, {len(missing)} lost and told, {twice} published again, of {MESSAGES}")


def test_bytes_events_history_and_a_second_reader(tmp_path: pathlib.Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as server, Client(server.url) as client:
            async with client.subscribe("things", binary=True) as things:
                await things.ready()
                await client.publish("things", {"text": "你好"}, event="greeting")
                await client.publish("things", b"\x00\n\xff", content_type="image/x-test")
                first, second = await anext(things), await anext(things)
                assert (first.data, first.event, second.data, second.content_type) == ({"text": "你好"}, "greeting", b"\x00\n\xff", "image/x-test")
                later = client.subscribe("things", last=2)
                assert [(await anext(later)).offset, (await anext(later)).offset] == [1, 2]
                behind = client.subscribe("things", since=first.position)
                assert (await anext(behind)).data == second.data
                await client.publish("things", 3)
                assert [(await anext(each)).data for each in (things, later, behind)] == [3, 3, 3]
            page = await client.history("things", since=first.position, limit=1)
            assert (page.recovered, page.position, [each.data for each in page.publications]) == (True, second.position, [second.data])
            once = await asyncio.gather(*(client.publish("keyed", 7, key="order-7") for _ in range(3)))
            assert {each.offset for each in once} == {1}
            with pytest.raises(TidingsError) as refused:
                await client.publish("things", "x" * 100_000)
            assert (refused.value.status, refused.value.code) == (413, "message_too_big")

    within(work())


def test_a_slow_reader_is_told_from_where_it_goes_on(tmp_path: pathlib.Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as server, Client(server.url) as client:
            slow = client.subscribe("slow", buffer=5)
            await slow.ready()
            for number in range(20):
                await client.publish("slow", number)
            heard = []
            with pytest.raises(TidingsError) as raised:
                async for publication in slow:
                    heard.append(publication.data)
            assert (heard, raised.value.code) == ([0, 1, 2, 3, 4], "slow_consumer")
            rest = client.subscribe("slow", since=slow.position)
            assert [(await anext(rest)).data for _ in range(15)] == list(range(5, 20))

    within(work())


def test_what_can_never_be_connected_to_is_told() -> None:
    async def work() -> None:
        async with Client("ws://") as client:
            with pytest.raises(TidingsError) as raised:
                await client.publish("news", 1)
            assert raised.value.code == "no_connection"
        with pytest.raises(ValueError):
            Client("http://127.0.0.1:8080/")

    within(work())


def test_a_server_that_is_not_there_yet_is_waited_for(tmp_path: pathlib.Path) -> None:
    async def work() -> None:
        async with running(tmp_path) as server:
            await server.end(signal.SIGTERM)
            async with Client(server.url, base=0.02, cap=0.2) as client:
                publishing = asyncio.create_task(client.publish("news", 1))
                await asyncio.sleep(0.2)
                assert not publishing.done()
                await server.start()
                assert (await publishing).offset == 1

    within(work())
