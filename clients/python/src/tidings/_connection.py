"""One WebSocket after the other: when to connect, how long to wait, and who signs in."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response
from websockets.typing import Subprotocol

from ._errors import Close, TidingsError, close_of, error_of
from ._frames import Frame
from ._sign_in import SignIn

log = logging.getLogger("tidings")
# In the place of the one of websockets, which at DEBUG writes down each head and frame, and so the token.
_wire_log = logging.getLogger("tidings.websocket")
_wire_log.setLevel(logging.INFO)

_PING_INTERVAL = 20.0  # a server that answers none for this long once more is given up
_CLOSE_TIMEOUT = 1.0
_ADVICE_MOST = 86_400.0  # no server takes a day to end
_MESSAGE_BYTES = 64 * 1024 * 1024  # more than a server sends in one message


@dataclass(frozen=True)
class Settings:
    """Times in seconds; the client's documentation says what each is for."""

    base: float
    cap: float
    slow: float
    stable: float
    connect_timeout: float
    ssl: ssl.SSLContext | None


class Owner(Protocol):
    """What hears of the connection."""

    @property
    def unanswered(self) -> bool: ...
    def opened(self) -> None: ...
    def received(self, frame: Frame) -> None: ...
    def broke(self, close: Close, unheard: bool) -> None: ...
    def over(self, error: TidingsError) -> None: ...


class Connection:
    def __init__(self, url: str, settings: Settings, sign_in: SignIn, owner: Owner) -> None:
        self._url = url
        self._settings = settings
        self._sign_in = sign_in
        self._owner = owner
        self._task: asyncio.Task[None] | None = None
        self._socket: ClientConnection | None = None
        self._outbox: asyncio.Queue[Frame] = asyncio.Queue()
        self._dialing: asyncio.Task[ClientConnection] | None = None
        self._own: Close | None = None  # why this side ends the connection
        self._hurry = asyncio.Event()  # set where the next attempt is to follow at once
        self._closed = False
        self._closings: set[asyncio.Task[None]] = set()
        self._attempt = 0
        self._refusals = 0
        self._opened_at: float | None = None
        self._answered = False  # whether the server said anything on this connection
        self._denied = False  # whether a token was refused, and none accepted since
        self._advised: float | None = None  # when to connect again, as the server of this connection says, which ends soon
        self._leave: asyncio.TimerHandle | None = None
        self._leaves = False  # whether that time has come

    @property
    def open(self) -> bool:
        return self._socket is not None and self._own is None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        """Nothing waits for a connection that can never be: an address or a setting of TLS that is none, say."""
        error = None if task.cancelled() else task.exception()
        if error:
            self._owner.over(TidingsError(0, "no_connection", f"no connection can be made: {error}"))

    async def close(self) -> None:
        self._closed = True
        self._own = Close(1000, "", "the client was closed")
        self._sign_in.end()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, *self._closings, return_exceptions=True)

    def send(self, frame: Frame) -> None:
        self._outbox.put_nowait(frame)

    def accepted(self) -> None:
        """The server has carried out a request: this client is let in."""
        self._denied = False

    def replace(self, reason: str) -> None:
        """Begins another connection now, in the place of the one that there is, or is tried or waited for."""
        if self._closed:
            return
        self._denied = False
        self._hurry.set()
        if self._dialing:
            self._dialing.cancel()
        self._end(Close(1000, "", reason))

    def _end(self, why: Close) -> None:
        self._own = why
        if self._socket:
            task = asyncio.get_running_loop().create_task(self._socket.close())
            self._closings.add(task)
            task.add_done_callback(self._closings.discard)

    def advise(self, after: float) -> None:
        """The server ends soon, and says in how many seconds to connect again: so long this connection stays, if it can."""
        if not self.open or not 0 <= after <= _ADVICE_MOST:
            return
        self._stay()
        self._advised = _now() + after
        self._leave = asyncio.get_running_loop().call_later(after, self._part, True)

    def _part(self, due: bool = False) -> None:
        """Leaves a server that ends, once it has answered everything: what it was asked last is not asked twice."""
        self._leaves = self._leaves or due
        if self._leaves and self.open and not self._owner.unanswered:
            self._end(Close(1012, "server_shutdown", "the server said that it ends"))

    def _stay(self) -> None:
        if self._leave:
            self._leave.cancel()
        self._leaves = False

    async def _run(self) -> None:
        while not self._closed:
            close = await self._once()
            unsigned = close.refusal is not None and close.refusal.status == 401 and self._sign_in.possible
            again = unsigned and not self._denied  # another token may be accepted: that is tried once
            self._denied = self._denied or unsigned
            pause = self._pause(close, again)
            unheard = close.refusal is not None and not self._answered
            self._owner.broke(close, unheard)
            if close.refusal and not again and (close.refusal.final or unsigned):
                return self._owner.over(close.refusal)
            await self._wait(close, pause)

    async def _wait(self, close: Close, pause: float) -> None:
        if self._hurry.is_set():
            pause = 0.0
        log.info("disconnected (%d %s); the next attempt is in %.1f s", close.code, close.message, pause)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), pause)
        if self._hurry.is_set():
            self._attempt = self._refusals = 0
        self._hurry.clear()

    def _pause(self, close: Close, again: bool) -> float:
        settings = self._settings
        if self._opened_at is not None and _now() - self._opened_at >= settings.stable:
            self._attempt = 0
        advised, self._advised = self._advised, None
        if close.refusal and not again:
            self._refusals += 1
            return close.retry_after + min(settings.slow, settings.cap * _power(self._refusals - 1)) * (0.5 + random.random() / 2)
        # Instead of a wait of its own: the server knows how many come back, and spreads them.
        if advised is not None:
            return max(0.0, advised - _now())
        # One faulty request less with each connection: the others need not wait longer and longer for it.
        if not close.fault or not self._owner.unanswered:
            self._attempt += 1
        return close.retry_after + random.random() * min(settings.cap, settings.base * _power(max(0, self._attempt - 1)))

    async def _once(self) -> Close:
        """One connection from its beginning to its end."""
        self._opened_at = None
        self._answered = False
        self._own = None
        try:
            self._dialing = asyncio.get_running_loop().create_task(self._dial())
            socket = await self._dialing
        except asyncio.CancelledError:
            if self._closed or not self._own:
                raise
            return self._own
        except InvalidStatus as error:
            return _refused(error.response)
        except TidingsError as error:
            log.warning("%s", error)
            return Close(0, error.code, error.message, silent=True)
        except asyncio.TimeoutError:
            return Close(0, "", "no handshake in time", silent=True)
        except (OSError, EOFError, InvalidHandshake) as error:
            return Close(0, "", str(error) or type(error).__name__, silent=True)
        finally:
            self._dialing = None
        if self._own:  # that was too late to end the attempt
            await socket.close()
            return self._own
        return await self._converse(socket)

    async def _dial(self) -> ClientConnection:
        return await asyncio.wait_for(self._shake_hands(), self._settings.connect_timeout)

    async def _shake_hands(self) -> ClientConnection:
        token = await self._sign_in.begin()
        return await connect(
            self._url,
            ssl=self._settings.ssl,
            subprotocols=[Subprotocol("tidings.v1")],
            additional_headers={"Authorization": f"Bearer {token}"} if token else None,
            open_timeout=None,
            close_timeout=_CLOSE_TIMEOUT,
            ping_interval=_PING_INTERVAL,
            ping_timeout=_PING_INTERVAL,
            max_size=_MESSAGE_BYTES,
            logger=_wire_log,
        )

    async def _converse(self, socket: ClientConnection) -> Close:
        self._opened_at = _now()
        self._outbox = asyncio.Queue()
        self._socket = socket
        writer = asyncio.get_running_loop().create_task(_write(socket, self._outbox))
        try:
            self._owner.opened()
            async for frame in socket:
                self._refusals = 0
                self._answered = True
                self._owner.received(frame)
                self._part()
        except ConnectionClosed:
            pass
        finally:
            self._socket = None
            self._stay()
            self._sign_in.end()
            writer.cancel()
            await socket.close()
        return self._own or close_of(socket.close_code or 1006, socket.close_reason or "")


async def _write(socket: ClientConnection, outbox: asyncio.Queue[Frame]) -> None:
    try:
        while True:
            await socket.send(await outbox.get())
    except ConnectionClosed:
        pass  # which the reader learns as well


def _refused(response: Response) -> Close:
    """A handshake that was answered by something else: what this server says of it, or what a proxy does."""
    status = response.status_code
    try:
        error = json.loads(response.body or b"")["error"]
    except (ValueError, KeyError, TypeError):
        error = {}
    after = response.headers.get("Retry-After", "")
    retry_after = float(after) if after.isdecimal() else 0.0
    refusal = error_of({"status": status, "error": error})
    if refusal.retry_after is None and retry_after:
        refusal.retry_after = retry_after
    known = 400 <= status < 500
    return Close(status, refusal.code, refusal.message, refusal=refusal if known else None, silent=not known, retry_after=refusal.retry_after or 0.0)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _power(exponent: int) -> float:
    return float(2 ** min(exponent, 30))
