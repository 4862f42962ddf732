"""Who the client is to a real server: keys, tokens that are renewed and changed, and what operators may."""

from __future__ import annotations

import asyncio
import logging
import pathlib
import time

import pytest

from tidings import Client, Emptied, TidingsError
from .support import BINARY, ISSUER, new_key, proxied, running, token_for, within

pytestmark = pytest.mark.skipif(not BINARY, reason="TIDINGS_BINARY names no server")


def test_a_key_lets_a_backend_in_and_a_wrong_one_is_told(tmp_path: pathlib.Path) -> None:
    secret, block = new_key("backend", "--channels", "orders:**")

    async def work() -> None:
        async with running(tmp_path, block) as server:
            async with Client(server.url, token=lambda: secret + "\n") as client:
                orders = client.subscribe("orders:1")
                await orders.ready()
                await client.publish("orders:1", 1)
                assert (await anext(orders)).data == 1
                with pytest.raises(TidingsError) as refused:
                    await client.publish("others", 1)
                assert (refused.value.status, refused.value.code) == (403, "forbidden")
            asked = 0

            def wrong() -> str:
                nonlocal asked
                asked += 1
                return "td_" + "x" * 43

            async with Client(server.url, token=wrong, base=0.01) as client:
                with pytest.raises(TidingsError) as refused:
                    await anext(client.subscribe("orders:1"))
                assert (refused.value.status, refused.value.code, asked) == (401, "key_invalid", 2)
                with pytest.raises(TidingsError):
                    await client.publish("orders:1", 1)

    within(work())


def test_an_operator_empties_a_history_and_nobody_else_does(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = "the-key-of-the-tests-0123456789"
    monkeypatch.setenv("TIDINGS_OPERATOR_KEY", key)

    async def work() -> None:
        async with running(tmp_path) as server, Client(server.url, token=key) as operator, Client(server.url) as client:
            news = client.subscribe("news")
            await news.ready()
            published = [await client.publish("news", number) for number in range(3)]
            with pytest.raises(TidingsError) as refused:
                await client.delete("news")
            assert (refused.value.status, refused.value.code) == (401, "operator_needed")
            assert [each.data for each in (await client.history("news", last=9)).publications] == [0, 1, 2]
            emptied = await operator.delete("news")
            assert emptied == Emptied("news", published[2].epoch, 3)
            page = await client.history("news", last=9)
            assert (page.position, page.publications) == (f"{emptied.epoch}:3", [])
            assert (await client.publish("news", 3)).offset == 4
            assert [(await anext(news)).data for _ in range(4)] == [0, 1, 2, 3]
            with pytest.raises(TidingsError) as wrong:
                await operator.delete("a*b")
            assert (wrong.value.status, wrong.value.code) == (400, "bad_channel")

    within(work())


def test_another_token_opens_and_closes_channels_on_the_same_connection(tmp_path: pathlib.Path) -> None:
    async def work() -> None:
        token = token_for("ann", ["a", "b"])
        async with running(tmp_path, ISSUER) as server, proxied(server.port) as (proxy, url):
            async with Client(url, token=lambda: token) as client:
                [a, b] = [client.subscribe(name) for name in "ab"]
                await asyncio.gather(a.ready(), b.ready())
                await client.sign_in()  # with the same one
                token = "wrong"
                with pytest.raises(TidingsError) as refused:
                    await client.sign_in()
                assert (refused.value.status, refused.value.code) == (401, "token_invalid")
                token = token_for("ann", ["a", "c"])
                await client.sign_in()
                with pytest.raises(TidingsError) as ended:
                    await anext(b)
                assert (ended.value.status, ended.value.code) == (403, "forbidden")
                c = client.subscribe("c")
                await c.ready()
                for name in "ac":
                    await client.publish(name, name)
                assert [(await anext(each)).data for each in (a, c)] == ["a", "c"]
                assert proxy.accepted == 1, "connections"

    within(work())


def test_another_user_takes_another_connection_and_no_token_is_written_down(tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def work() -> None:
        token: str | None = token_for("ann", ["both", "hers"])
        async with running(tmp_path, ISSUER) as server, proxied(server.port) as (proxy, url):
            async with Client(url, token=lambda: token) as client:
                both = client.subscribe("both")
                await both.ready()
                await client.publish("hers", 1)
                token = token_for("bob", ["both", "his"])
                await client.sign_in()
                assert proxy.accepted == 2, "connections"
                await client.publish("his", 1)
                with pytest.raises(TidingsError) as refused:
                    await client.publish("hers", 2)
                assert (refused.value.status, refused.value.code) == (403, "forbidden")
                await client.publish("both", "his")
                assert (await anext(both)).data == "his"
                token = None  # he signed out
                await client.sign_in()
                with pytest.raises(TidingsError) as unsigned:
                    await client.publish("his", 2)
                assert (unsigned.value.status, unsigned.value.code, proxy.accepted) == (401, "token_needed", 3)

    within(work())
    assert "signs in anew" in caplog.text and "eyJ" not in caplog.text


def test_before_it_expires_a_token_is_replaced_and_the_connection_stays(tmp_path: pathlib.Path) -> None:
    async def work() -> None:
        asked: list[float] = []
        renewed = asyncio.Event()

        async def token() -> str:
            asked.append(time.monotonic())
            if len(asked) == 2:
                renewed.set()
            return token_for("ann", ["a"], 600 if renewed.is_set() else 20)

        async with running(tmp_path, ISSUER) as server, proxied(server.port) as (proxy, url):
            async with Client(url, token=token) as client:
                a = client.subscribe("a")
                await a.ready()
                await renewed.wait()
                await client.publish("a", "after")
                assert (await anext(a)).data == "after"
                assert (len(asked), proxy.accepted) == (2, 1), "tokens and connections"
                print(f"renewed after {asked[1] - asked[0]:.1f} of 20 s")

    within(work())


def test_a_token_that_was_not_replaced_in_time_costs_its_connection_and_another_one_resumes(tmp_path: pathlib.Path) -> None:
    async def work() -> None:
        end = time.time() + 4
        asked = failed = 0

        def token() -> str:
            nonlocal asked, failed
            asked += 1
            if asked > 1 and time.time() < int(end):
                failed += 1
                raise ConnectionError("the service of tokens is away")
            return token_for("ann", ["a"], end - time.time() if asked == 1 else 600)

        key, block = new_key("backend", "--channels", "a")
        async with running(tmp_path, f"{ISSUER}\n{block}") as server, proxied(server.port) as (proxy, url):
            async with Client(url, token=token, base=0.02) as client, Client(server.url, token=key) as backend:
                gaps: list[object] = []
                a = client.subscribe("a", on_gap=gaps.append)
                await a.ready()
                number = 0
                while proxy.accepted < 2:  # before, meanwhile and afterwards
                    await backend.publish("a", (number := number + 1))
                    await asyncio.sleep(0.05)
                await backend.publish("a", "last")
                heard = [(await anext(a)).data for _ in range(number + 1)]
                assert heard == [*range(1, number + 1), "last"]
                assert (gaps, failed >= 1, asked, proxy.accepted) == ([], True, failed + 2, 2)

    within(work())


def test_signing_in_replaces_an_attempt_that_hangs(tmp_path: pathlib.Path) -> None:
    async def work() -> None:
        tried = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if proxy.accepted or tried.is_set():
                return await proxy(reader, writer)
            tried.set()
            await reader.read()  # the handshake; nobody answers it
            writer.close()

        async with running(tmp_path, ISSUER) as server, proxied(server.port) as (proxy, _):
            async with await asyncio.start_server(silent, "127.0.0.1", 0) as listener:
                port = listener.sockets[0].getsockname()[1]
                token = token_for("ann", ["a"])
                async with Client(f"ws://127.0.0.1:{port}/ws", token=lambda: token, connect_timeout=3600) as client:
                    publishing = asyncio.create_task(client.publish("b", 1))
                    await tried.wait()
                    token = token_for("bob", ["b"])
                    await client.sign_in()
                    assert (await publishing).offset == 1
                    assert proxy.accepted == 1
                with pytest.raises(TidingsError) as closed:
                    await client.sign_in()
                assert closed.value.code == "closed"

    within(work())
