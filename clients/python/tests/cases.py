"""The cases that every client runs, clients/cases/*.json, by this client, through real sockets. Their README says what a step means."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import pathlib
import time
from collections.abc import Coroutine
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tidings import Client, Gap, Publication, Subscription, TidingsError

CASES = pathlib.Path(__file__).parents[2] / "cases"
LIMITS = {"message_bytes": 65536, "body_bytes": 1048576, "binary": True, "batch": 100}
PATIENCE = 30.0


class Script:
    """The server of a case: connections and frames in the order they came, which the steps take."""

    def __init__(self, limits: dict[str, Any] | None) -> None:
        self.limits = limits
        self.connections: asyncio.Queue[tuple[float, str | None]] = asyncio.Queue()
        self.frames: asyncio.Queue[tuple[float, dict[str, Any], bytes | None]] = asyncio.Queue()
        self.current: ServerConnection | None = None

    async def __call__(self, connection: ServerConnection) -> None:
        assert connection.request and connection.subprotocol == "tidings.v1"
        scheme, _, token = connection.request.headers.get("Authorization", "").partition(" ")
        assert scheme in ("", "Bearer")
        self.current = connection
        self.connections.put_nowait((time.monotonic(), token or None))
        with contextlib.suppress(ConnectionClosed):
            await self._read(connection)

    async def _read(self, connection: ServerConnection) -> None:
        async for frame in connection:
            head, _, body = frame.partition(b"\n") if isinstance(frame, bytes) else (frame, None, None)
            request = json.loads(head)
            if request.get("path") in ("/limits", "/livez"):
                answer = self.limits if request["path"] == "/limits" else {}
                if answer is not None:
                    await connection.send(json.dumps({"id": request["id"], "status": 200, **answer}))
            else:
                self.frames.put_nowait((time.monotonic(), request, body))


class Conversation:
    """One case on its way: the client, what it told, and what the names of the case stand for."""

    def __init__(self, case: dict[str, Any], port: int, script: Script) -> None:
        options = case.get("options", {})
        tokens = list(options.get("tokens", []))
        token: Any = options.get("token")
        if tokens:

            async def token() -> str:
                return str(tokens.pop(0) if len(tokens) > 1 else tokens[0])

        self.script = script
        self.client = Client(f"ws://127.0.0.1:{port}/ws", token=token, base=0.05)
        self.told: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        self.names: dict[str, Any] = {}
        self.subscriptions: dict[str, Subscription] = {}
        self.tasks: list[asyncio.Task[None]] = []
        self.before = 0.0  # when the step before happened

    async def step(self, step: dict[str, Any]) -> None:
        happened = time.monotonic()
        if "program" in step:
            await getattr(self, step["program"])({name: value for name, value in step.items() if name != "program"})
            await asyncio.sleep(0.015)  # so that what is told of it comes before what follows
        if "connects" in step:
            happened, token = await asyncio.wait_for(self.script.connections.get(), PATIENCE)
            assert token == step["connects"]["token"]
            await asyncio.sleep(0.015)  # and so does what the server says of its limits
        if "sends" in step:
            happened, request, body = await asyncio.wait_for(self.script.frames.get(), PATIENCE)
            assert request == {name: self.same(value, request.get(name)) for name, value in step["sends"].items()}
            assert body == (base64.b64decode(step["base64"]) if "base64" in step else None)
        if "after_ms" in step:
            least, most = step["after_ms"]
            assert least <= (happened - self.before) * 1000 + 1 <= most + 500, "the time"
        if "says" in step:
            says = step["says"]
            await self.connection.send(says if isinstance(says, str) else json.dumps(self.filled(says)))
        if "says_binary" in step:
            await self.connection.send(json.dumps(step["says_binary"]).encode() + b"\n" + base64.b64decode(step["base64"]))
        if "ends" in step:
            code, reason = step["ends"]["code"], step["ends"]["reason"]
            if code == 1006:
                self.connection.transport.abort()
            else:
                await self.connection.close(code, reason)
        if "hears" in step:
            [(kind, members)] = step["hears"].items()
            found, values = await asyncio.wait_for(self.told.get(), PATIENCE)
            assert found == kind, values
            for name, value in members.items():
                if name == "base64":
                    assert values["data"] == base64.b64decode(value)
                else:
                    assert values[name] == value, name
        self.before = happened

    @property
    def connection(self) -> ServerConnection:
        assert self.script.current
        return self.script.current

    def same(self, wanted: Any, found: Any) -> Any:
        """A value of the case: names stand for what they stood for first."""
        return self.names.setdefault(wanted, found) if isinstance(wanted, str) and wanted.startswith("$") else wanted

    def filled(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if isinstance(value, dict):
            return {name: self.filled(each) for name, each in value.items()}
        return self.names.get(value, value) if isinstance(value, str) else value

    def tell(self, kind: str, values: dict[str, Any]) -> None:
        self.told.put_nowait((kind, values))

    def tell_refused(self, kind: str, error: TidingsError, **more: Any) -> None:
        after = None if error.retry_after is None else round(error.retry_after * 1000)
        self.tell(kind, {"status": error.status, "code": error.code, "retry_after_ms": after, "position": error.position, **more})

    async def subscribe(self, given: dict[str, Any]) -> None:
        channel = given["channel"]

        def gap(found: Gap) -> None:
            self.tell("gap", vars(found))

        def refused(error: TidingsError) -> None:
            self.tell_refused("refused", error, channel=channel, final=False)

        subscription = self.client.subscribe(**given, on_gap=gap, on_refused=refused)
        self.subscriptions[channel] = subscription

        async def read() -> None:
            try:
                async for publication in subscription:
                    assert isinstance(publication, Publication)
                    assert publication.position == subscription.position
                    self.tell("publication", vars(publication))
            except TidingsError as error:
                self.tell_refused("refused", error, channel=channel, final=error.final)

        self.tasks.append(asyncio.create_task(read()))

    def ask(self, kind: str, work: Coroutine[Any, Any, object]) -> None:
        """Tells what becomes of it, without waiting for that."""

        async def ask() -> None:
            try:
                answer = await work
                self.tell(kind, {} if answer is None else vars(answer))
            except TidingsError as error:
                self.tell_refused("failed", error)

        self.tasks.append(asyncio.create_task(ask()))

    async def publish(self, given: dict[str, Any]) -> None:
        if "base64" in given:
            given["data"] = base64.b64decode(given.pop("base64"))
        self.ask("published", self.client.publish(**given))

    async def delete(self, given: dict[str, Any]) -> None:
        self.ask("deleted", self.client.delete(given["channel"]))

    async def sign_in(self, _: dict[str, Any]) -> None:
        self.ask("signed_in", self.client.sign_in())

    async def unsubscribe(self, given: dict[str, Any]) -> None:
        self.subscriptions[given["channel"]].close()

    async def close(self, _: dict[str, Any]) -> None:
        await self.client.close()


async def converse(case: dict[str, Any]) -> None:
    script = Script(case.get("limits", LIMITS))
    server: Server = await serve(script, "127.0.0.1", 0, subprotocols=["tidings.v1"])  # type: ignore[list-item]
    async with server:
        conversation = Conversation(case, server.sockets[0].getsockname()[1], script)
        async with conversation.client:
            for index, step in enumerate(case["steps"]):
                try:
                    await conversation.step(step)
                except (AssertionError, asyncio.TimeoutError) as error:
                    raise AssertionError(f"step {index + 1}, {step}: {error!r}") from error
            await asyncio.sleep(0.1)
            left = [script.frames.qsize(), conversation.told.qsize(), script.connections.qsize()]
        assert left == [0, 0, 0], "frames, words and connections that are not in the case"
        for task in conversation.tasks:
            task.cancel()
        found = await asyncio.gather(*conversation.tasks, return_exceptions=True)
        assert not [each for each in found if isinstance(each, Exception)]


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.json")))
def test_case(name: str) -> None:
    asyncio.run(asyncio.wait_for(converse(json.loads((CASES / f"{name}.json").read_text())), 60))
