"""Who the client is: tokens are asked for when a connection begins and before one expires, and are never shown."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from ._errors import TidingsError

log = logging.getLogger("tidings")

#: A token or a key, or a function that gets one, for each connection and before one expires.
Token = str | Callable[[], str | None | Awaitable[str | None]] | None


async def fetch(token: Token) -> str | None:
    """The token of the moment; what is wrong with it never repeats it."""
    try:
        found = token() if callable(token) else token
        if inspect.isawaitable(found):
            found = await found
    except Exception as error:
        raise TidingsError(0, "token_unavailable", f"no token could be fetched: {error}") from error
    if found is None:
        return None
    if not isinstance(found, str):
        raise TidingsError(0, "token_unavailable", f"a token is a str, and `token` gave a value of type {type(found).__name__}")
    return found.strip() or None


class Owner(Protocol):
    """What presents a token on the connection that there is, and what begins another one."""

    async def auth(self, token: str) -> None: ...
    def another(self, reason: str) -> None: ...


class SignIn:
    def __init__(self, token: Token, owner: Owner) -> None:
        self._token = token
        self._owner = owner
        self._turn = 0  # differs from connection to connection
        self._current: str | None = None  # the token of this connection, and when it was presented
        self._since = 0.0
        self._renewal: asyncio.Task[None] | None = None

    @property
    def possible(self) -> bool:
        """Whether a connection that was refused for its token can come with another one."""
        return self._token is not None

    async def begin(self) -> str | None:
        """A connection begins, with this token."""
        self.end()
        self._current = await fetch(self._token)
        self._since = _now()
        return self._current

    def end(self) -> None:
        """What was planned or asked for a connection that is over counts no more."""
        self._turn += 1
        self._calm()

    def expiring(self, seconds: float) -> None:
        """The server says for how many seconds the token holds."""
        if not self.possible or not seconds >= 0:
            return
        self._calm()
        # A token that is younger than this is one for a short time, and the next notice follows its renewal at once.
        wait = max(0.0, seconds - (_now() - self._since)) / 2
        self._renewal = asyncio.get_running_loop().create_task(self._renew(_now() + seconds, wait))

    async def change(self) -> bool:
        """Presents a newly fetched token. False if only another connection can: it is that of another user, or there is none."""
        turn = self._turn
        token = await fetch(self._token)
        if turn != self._turn:
            return False
        return token == self._current or await self._present(token)

    def _calm(self) -> None:
        if self._renewal and self._renewal is not asyncio.current_task():
            self._renewal.cancel()
        self._renewal = None

    async def _renew(self, end: float, wait: float) -> None:
        """Presents a token that replaces the one that ends; one that cannot be had, or is still the same, is asked for again."""
        turn = self._turn
        while True:
            await asyncio.sleep(wait)
            try:
                token = await fetch(self._token)
                if token and token != self._current:
                    if not await self._present(token) and turn == self._turn:
                        self._owner.another("the token is that of another user")
                    return
            except TidingsError as error:
                log.warning("the token could not be renewed: %s", error)
            left = end - _now()
            if left <= 1:
                return
            wait = left / 2

    async def _present(self, token: str | None) -> bool:
        if not token:
            return False
        turn = self._turn
        self._since = _now()  # before the answer, which a notice may follow at once
        try:
            await self._owner.auth(token)
        except TidingsError as error:
            if error.status == 403 or turn != self._turn:
                return False  # another connection begins with a token of its own
            raise
        if turn == self._turn:
            self._current = token
        return True


def _now() -> float:
    return asyncio.get_running_loop().time()
