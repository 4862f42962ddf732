"""One WebSocket after the other: when to connect, how long to wait, and who signs in."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
from dataclasses import dataclass
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.http11 import Response
from websockets.typing import Subprotocol

from ._errors import Close, TidingsError, close_of, error_of
from ._frames import Frame
from ._sign_in import Token, fetch

log = logging.getLogger("tidings")

_PING_INTERVAL = 20.0  # a server that answers none for this long once more is given up
_CLOSE_TIMEOUT = 1.0
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
    async def auth(self, token: str) -> None: ...


class Connection:
    def __init__(self, url: str, settings: Settings, token: Token, owner: Owner) -> None:
        self._url = url
        self._settings = settings
        self._token = token
        self._owner = owner
        self._task: asyncio.Task[None] | None = None
        self._socket: ClientConnection | None = None
        self._outbox: asyncio.Queue[Frame] = asyncio.Queue()
        self._own: Close | None = None  # why this side ends the connection
        self._renewal: asyncio.Task[None] | None = None
        self._closings: set[asyncio.Task[None]] = set()
        self._current: str | None = None  # the token of this connection, and when it was presented
        self._presented = 0.0
        self._attempt = 0
        self._refusals = 0
        self._opened_at: float | None = None
        self._answered = False  # whether the server said anything on this connection
        self._denied = False  # whether a token was refused, and none accepted since

    @property
    def open(self) -> bool:
        return self._socket is not None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        """Nothing waits for a connection that can never be: an address or a setting of TLS that is none, say."""
        error = None if task.cancelled() else task.exception()
        if error:
            self._owner.over(TidingsError(0, "no_connection", f"no connection can be made: {error}"))

    async def close(self) -> None:
        self._calm()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, *self._closings, return_exceptions=True)

    def send(self, frame: Frame) -> None:
        self._outbox.put_nowait(frame)

    def accepted(self) -> None:
        """The server has carried out a request: this client is let in."""
        self._denied = False

    def expiring(self, seconds: float) -> None:
        """The server says for how many seconds the token holds."""
        if self._token is None or not seconds >= 0:
            return
        self._calm()
        now = _now()
        # A token that is younger than this is one for a short time, and the next notice follows its renewal at once.
        wait = max(0.0, seconds - (now - self._presented)) / 2
        self._renewal = asyncio.get_running_loop().create_task(self._renew(now + seconds, wait))

    def _calm(self) -> None:
        if self._renewal and self._renewal is not asyncio.current_task():
            self._renewal.cancel()
        self._renewal = None

    async def _run(self) -> None:
        while True:
            close = await self._once()
            unsigned = close.refusal is not None and close.refusal.status == 401 and self._token is not None
            again = unsigned and not self._denied  # another token may be accepted: that is tried once
            self._denied = self._denied or unsigned
            pause = self._pause(close, again)
            unheard = close.refusal is not None and not self._answered
            self._owner.broke(close, unheard)
            if close.refusal and not again and (close.refusal.final or unsigned):
                return self._owner.over(close.refusal)
            log.info("disconnected (%d %s); the next attempt is in %.1f s", close.code, close.message, pause)
            await asyncio.sleep(pause)

    def _pause(self, close: Close, again: bool) -> float:
        settings = self._settings
        if self._opened_at is not None and _now() - self._opened_at >= settings.stable:
            self._attempt = 0
        if close.refusal and not again:
            self._refusals += 1
            return close.retry_after + min(settings.slow, settings.cap * _power(self._refusals - 1)) * (0.5 + random.random() / 2)
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
            socket = await asyncio.wait_for(self._dial(), self._settings.connect_timeout)
        except InvalidStatus as error:
            return _refused(error.response)
        except TidingsError as error:
            log.warning("%s", error)
            return Close(0, error.code, error.message, silent=True)
        except asyncio.TimeoutError:
            return Close(0, "", "no handshake in time", silent=True)
        except (OSError, EOFError, InvalidHandshake) as error:
            return Close(0, "", str(error) or type(error).__name__, silent=True)
        return await self._converse(socket)

    async def _dial(self) -> ClientConnection:
        token = await fetch(self._token)
        self._current = token
        self._presented = _now()
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
        except ConnectionClosed:
            pass
        finally:
            self._socket = None
            self._calm()
            writer.cancel()
            await socket.close()
        return self._own or close_of(socket.close_code or 1006, socket.close_reason or "")

    def _end(self, close: Close) -> None:
        """Ends the connection from this side."""
        self._own = close
        if self._socket:
            task = asyncio.get_running_loop().create_task(self._socket.close())
            self._closings.add(task)
            task.add_done_callback(self._closings.discard)

    async def _renew(self, end: float, wait: float) -> None:
        """Presents a token that replaces the one that ends; one that cannot be had, or is still the same, is asked for again."""
        while True:
            await asyncio.sleep(wait)
            try:
                token = await fetch(self._token)
                if token and token != self._current:
                    return await self._present(token)
            except TidingsError as error:
                log.warning("the token could not be renewed: %s", error)
            left = end - _now()
            if left <= 1:
                return
            wait = left / 2

    async def _present(self, token: str) -> None:
        self._presented = _now()  # before the answer, which a notice may follow at once
        try:
            await self._owner.auth(token)
        except TidingsError as error:
            if error.status != 403:
                raise
            return self._end(Close(1000, "", "the token is that of another user"))  # another connection begins with it
        self._current = token


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
