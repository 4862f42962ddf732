"""What a program sees, and what was sent and is not answered yet."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import ssl
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

from ._channel import Channel
from ._connection import Connection, Settings
from ._errors import Close, TidingsError, error_of
from ._frames import Frame, Message, check_frame, frame_of, json_of, messages_of, path_of, publication_of
from ._requests import Request, Sent
from ._sign_in import SignIn, Token
from ._subscription import Subscription
from ._values import Emptied, Gap, History, Limits, Published, limits_of

log = logging.getLogger("tidings")


class Client:
    """A connection that mends itself: `async with Client("wss://push.example.com/ws", token=KEY) as client`.

    `token` is a token or a key, or a function that gets one, for each connection and before one expires. Times are seconds:
    the first wait before a reconnect is random between 0 and `base`; it doubles with each failure and never exceeds
    `cap`, nor `slow` after a refusal of the whole connection; a connection that lived for `stable` sets it back.
    While there is none, `queue` requests wait for it. A refusal of the connection for good ends the client: whatever waits
    raises it, and so does whatever is asked later.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token = None,
        base: float = 0.5,
        cap: float = 20.0,
        slow: float = 300.0,
        stable: float = 5.0,
        connect_timeout: float = 10.0,
        queue: int = 1000,
        resends: int = 8,
        ssl: ssl.SSLContext | None = None,
    ) -> None:
        if urlsplit(url).scheme not in ("ws", "wss"):
            raise ValueError(f"{url!r} is not the address of a server: one begins with ws: or wss:")
        self.url = url
        #: What one message may be.
        self.limits = Limits()
        self._queue = queue
        self._cap = cap
        self._resends = resends
        self._sign_in = SignIn(token, self)
        self._connection = Connection(url, Settings(base, cap, slow, stable, connect_timeout, ssl), self._sign_in, self)
        self._next = 1
        self._pending: dict[int, Request] = {}
        self._channels: dict[str, Channel] = {}
        self._sent: dict[int, Sent] = {}  # on this connection, in the order sent
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: TidingsError | None = None

    async def __aenter__(self) -> Client:
        self._connection.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends the connection; whatever is unanswered raises, and subscriptions end."""
        self._end(TidingsError(0, "closed", "the client was closed"), None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(self._connection.close(), *self._tasks, return_exceptions=True)

    async def publish(
        self,
        channel: str,
        data: Any,
        *,
        event: str | None = None,
        key: str | None = None,
        retry: bool = True,
        exclude_self: bool = False,
        if_match: str | None = None,
        content_type: str | None = None,
    ) -> Published:
        """Publishes a JSON value, or bytes.

        A post without an answer when the connection breaks is sent again with the same idempotency `key` (made up unless
        given), so it is published once, unless the server itself lost its memory. With `retry=False` and no key it
        raises `connection_lost` instead, and may have been published or not. With `if_match`, a position, it is published
        only as the next after that, or raises `moved`.
        """
        if key is None and retry:
            key = secrets.token_hex(16)
        request: dict[str, Any] = {"method": "POST", "path": path_of(channel), "event": event, "key": key}
        request |= {"exclude_self": exclude_self or None, "if_match": if_match}
        if isinstance(data, (bytes, bytearray, memoryview)):
            answer = await self._request({**request, "content_type": content_type}, body=bytes(data), again=key is not None)
        else:
            answer = await self._request(request, data=json_of(data), again=key is not None)
        if exclude_self and channel in self._channels:
            self._channels[channel].passed(answer)
        return Published(answer["channel"], answer["epoch"], answer["offset"], answer.get("kept", True))

    def subscribe(
        self,
        channel: str,
        *,
        since: str | None = None,
        last: int | None = None,
        binary: bool = False,
        buffer: int = 1000,
        on_gap: Callable[[Gap], None] | None = None,
        on_refused: Callable[[TidingsError], None] | None = None,
    ) -> Subscription:
        """Subscribes: `async for publication in client.subscribe("news", last=10)`.

        It begins after the position `since`, with the newest `last` publications, or with what comes next. `binary` asks for
        binary frames instead of base64. Where more than `buffer` publications wait to be read it raises `slow_consumer`.
        """
        if self._ended:
            raise self._ended
        subscription = Subscription(channel, since, buffer, on_gap, on_refused)
        there = self._channels.get(channel)
        entry = there or Channel(channel, since, last, binary)
        if not there:
            check_frame(frame_of(entry.request(self._next)), self.limits)
            self._channels[channel] = entry
        entry.subscriptions.append(subscription)
        subscription.joins(lambda left: self._leave(entry, left))
        if not there:
            self._subscribe(entry)
        elif since is not None or last is not None:
            subscription.waiting = []
            self._spawn(self._catch_up(entry, subscription, since, last))
        if entry.live:
            subscription.answered(entry.position)
        return subscription

    async def history(self, channel: str, *, since: str | None = None, last: int | None = None, limit: int | None = None) -> History:
        """What the channel remembers: the newest `last`, or a page after the position `since`."""
        answer = await self._history(channel, since, last, limit)
        epoch = answer["epoch"]
        publications = [publication_of(channel, epoch, each) for each in answer.get("publications") or []]
        return History(channel, f"{epoch}:{answer['offset']}", answer.get("recovered"), publications)

    async def delete(self, channel: str) -> Emptied:
        """Empties the channel's history, for operators. What is published afterwards has the next offset."""
        answer = await self._request({"method": "DELETE", "path": path_of(channel)})
        return Emptied(answer["channel"], answer["epoch"], answer["offset"])

    async def sign_in(self) -> None:
        """Asks for the token again and presents it: after it was changed, or taken back. Returns when the server has accepted it.

        A token of the same user is presented on the connection that there is; that of another one begins a new connection. What
        was refused for good before may be allowed now: subscribe once more.
        """
        if self._ended:
            raise self._ended
        if self._connection.open and await self._sign_in.change():
            return
        self._connection.replace("signs in anew")
        await self._request({"method": "GET", "path": "/livez"})

    async def _history(self, channel: str, since: str | None, last: int | None, limit: int | None = None) -> Message:
        return await self._request({"method": "GET", "path": path_of(channel), "once": True, "since": since, "last": last, "limit": limit})

    # What the connection tells.

    @property
    def unanswered(self) -> bool:
        return bool(self._sent)

    def opened(self) -> None:
        """Asks for limits without waiting for them; then everything that has no answer yet is sent again."""
        self._ask({"method": "GET", "path": "/limits"}, self._learn)
        for entry in list(self._channels.values()):
            self._subscribe(entry)
        for request in list(self._pending.values()):
            self._post(request)

    def received(self, frame: Frame) -> None:
        for message in messages_of(frame):
            try:
                self._take(message)
            except (KeyError, TypeError, ValueError) as error:
                log.warning("a frame of the server was not understood: %r", error)

    def broke(self, close: Close, unheard: bool) -> None:
        """The connection ended.

        If something that was sent is to blame, it is the oldest that has no answer, since the server answers what it read
        before it closes: that alone is rejected, as by an answer, and the rest is sent again. Where nobody said why,
        the same request is suspected again each time it is the oldest, and given up after some times. On a connection that is
        refused from the beginning (`unheard`) nothing was executed.
        """
        oldest = next(iter(self._sent.values()), None)
        cut = [] if unheard else [each for each in self._pending.values() if not each.again and each.id in self._sent]
        self._sent.clear()
        for entry in self._channels.values():
            entry.rest()
        if oldest and close.fault:
            oldest.answered(close.fault)
        elif oldest and close.silent:
            oldest.suspected(close)
        for request in cut:
            request.fail(TidingsError(0, "connection_lost", "the connection broke before the answer came"))

    def over(self, error: TidingsError) -> None:
        self._end(error, error)

    async def auth(self, token: str) -> None:
        await self._request({"method": "AUTH", "token": token}, again=False)

    def another(self, reason: str) -> None:
        self._connection.replace(reason)

    # What is sent.

    def _send(self, id: int, frame: Frame, target: Sent) -> None:
        if self._connection.open:
            self._sent[id] = target
            self._connection.send(frame)

    def _ask(self, request: Message, answered: Callable[[Message], None]) -> None:
        """A question of the client's own; it is never sent again."""
        id = self._take_id()
        self._send(id, frame_of({"id": id, **request}), Sent(answered))

    async def _request(self, request: Message, *, data: str | None = None, body: bytes | None = None, again: bool = True) -> Message:
        if self._ended:
            raise self._ended
        if not self._connection.open and len(self._pending) >= self._queue:
            raise TidingsError(0, "queue_full", f"{self._queue} requests already wait for the connection")
        id = self._take_id()
        frame = frame_of({"id": id, **request}, data, body)
        check_frame(frame, self.limits)
        waiting = Request(id, frame, again, self._resends, asyncio.get_running_loop().create_future())
        self._pending[id] = waiting
        self._post(waiting)
        try:
            return await waiting.future
        finally:
            self._pending.pop(id, None)

    def _take_id(self) -> int:
        id, self._next = self._next, self._next + 1
        return id

    def _post(self, request: Request) -> None:
        """Sends a request, again or for the first time; another server may have said meanwhile that it takes less."""
        if request.future.done():
            return  # its answer is on its way to the program
        try:
            check_frame(request.frame, self.limits)
        except TidingsError as error:
            return request.fail(error)
        self._send(request.id, request.frame, Sent(request.answered, request.suspected))

    # What is received.

    def _take(self, message: Message) -> None:
        name = message.get("channel")
        entry = self._channels.get(name) if isinstance(name, str) else None
        if message.get("auth") == "expiring":
            self._sign_in.expiring(message["in"])
        elif message.get("reconnect"):
            self._connection.advise(message["after_ms"] / 1000)
        elif message.get("ended"):
            if entry and entry.live:  # one asked for since then has its own answer
                self._refuse(entry, error_of(message), True)
        elif "status" in message:
            self._answer(message)
        elif entry:
            entry.push(message)

    def _answer(self, message: Message) -> None:
        """An error without an id answers what is oldest: the server could not read the request far enough to name it."""
        id = message.get("id")
        if id is None and message["status"] >= 400:
            id = next(iter(self._sent), None)
        target = self._sent.pop(id, None) if isinstance(id, int) else None
        if message["status"] < 400:
            self._connection.accepted()
        if target:
            target.answered(message)

    def _learn(self, answer: Message) -> None:
        self.limits = limits_of(answer)

    # Subscriptions.

    def _subscribe(self, entry: Channel) -> None:
        entry.calm()
        id = self._take_id()
        binary = entry.binary and self.limits.binary  # a server that takes none sends base64
        frame = frame_of(entry.request(id), body=b"" if binary else None)
        self._send(id, frame, Sent(lambda answer: self._subscribed(entry, answer), lambda close: self._suspected(entry, close)))

    def _subscribed(self, entry: Channel, answer: Message) -> None:
        if self._channels.get(entry.name) is not entry:
            return  # left meanwhile
        if answer["status"] < 400:
            entry.subscribed(answer)
        elif answer.get("close") == 1003 and entry.binary:
            entry.binary = False  # text and base64 then
        else:
            error = error_of(answer)
            self._refuse(entry, error, error.final)

    def _suspected(self, entry: Channel, close: Close) -> None:
        entry.breaks += close.code == 1011
        if entry.breaks >= self._resends:
            self._refuse(entry, TidingsError(500, "internal_error", "the server failed each time it was asked"), True)

    def _refuse(self, entry: Channel, error: TidingsError, final: bool) -> None:
        """A subscription that was refused for good is not asked for again; a refusal that may pass is, after longer and longer waits."""
        subscriptions = list(entry.subscriptions)
        if final:
            self._drop(entry)
            for subscription in subscriptions:
                subscription.end(error)
            return
        wait = (error.retry_after or 0) + random.random() * min(self._cap, 2.0 ** min(entry.tries, 30))
        entry.tries += 1
        entry.timer = asyncio.get_running_loop().call_later(wait, self._subscribe, entry)
        for subscription in subscriptions:
            subscription.refused(error)

    def _drop(self, entry: Channel) -> None:
        entry.calm()
        entry.subscriptions.clear()
        entry.lived.set()  # nobody waits for it any more
        if self._channels.get(entry.name) is entry:
            del self._channels[entry.name]

    def _leave(self, entry: Channel, subscription: Subscription) -> None:
        if subscription not in entry.subscriptions:
            return
        entry.subscriptions.remove(subscription)
        if not entry.subscriptions and self._channels.get(entry.name) is entry:
            self._drop(entry)
            self._ask({"method": "DELETE", "path": "/subscriptions/" + quote(entry.name, safe="!'()*~")}, lambda _: None)

    async def _catch_up(self, entry: Channel, subscription: Subscription, since: str | None, last: int | None) -> None:
        """A later reader of a channel asks for its own past, page by page; what comes meanwhile waits until that has come."""
        try:
            await entry.lived.wait()
            epoch = entry.epoch
            while subscription in entry.subscriptions:
                answer = await self._history(entry.name, since, last)
                if since is not None and answer.get("recovered") is False:
                    subscription.gap(Gap(entry.name, f"{answer['epoch']}:{answer['offset']}"))
                if epoch != entry.epoch or answer["epoch"] != epoch:
                    break
                page: list[Message] = answer.get("publications") or []
                for message in page:
                    entry.give_again(subscription, publication_of(entry.name, epoch, message))
                waits = subscription.waiting
                following = waits[0].offset if waits else entry.offset + 1
                if since is None or not page or answer["offset"] + 1 >= following:
                    break
                since, last = f"{epoch}:{answer['offset']}", None
        except TidingsError as error:
            subscription.refused(error)
        entry.release(subscription, done=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self, error: TidingsError, told: TidingsError | None) -> None:
        """Nothing is asked or heard any more: requests raise `error`, subscriptions `told`, or they end."""
        if self._ended:
            return
        self._ended = error
        for request in list(self._pending.values()):
            request.fail(error)
        self._pending.clear()
        for entry in list(self._channels.values()):
            subscriptions = list(entry.subscriptions)
            self._drop(entry)
            for subscription in subscriptions:
                subscription.end(told)
