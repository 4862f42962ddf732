"""Who the client is: tokens are asked for when a connection begins and before one expires, and are never shown."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

from ._errors import TidingsError

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
