"""A subscription, as an asynchronous iterator of publications."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from types import TracebackType

from ._errors import TidingsError
from ._values import Gap, Publication

log = logging.getLogger("tidings")


class Subscription:
    """The publications of a channel, each once and in order: `async for publication in subscription`.

    What cannot be recovered is told to `on_gap`, in its place between the publications, before the iterator goes on. A
    refusal that may pass is told to `on_refused`, and asked again. Without these both are warnings in the log. A refusal
    for good raises, as does a reader that is too slow. It ends when it or its client is closed.
    """

    def __init__(self, channel: str, since: str | None, buffer: int, on_gap: Callable[[Gap], None] | None, on_refused: Callable[[TidingsError], None] | None) -> None:
        self.channel = channel
        #: Where the reader stands: behind what the iterator handed over last. What a later subscription goes on after.
        self.position = since
        self._buffer = buffer
        self._on_gap = on_gap
        self._on_refused = on_refused
        self._queue: deque[Publication | Gap] = deque()
        self._wake = asyncio.Event()
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended = False
        self._error: TidingsError | None = None
        self._left: Callable[[Subscription], None] = lambda _: None
        # What the channel keeps of it: the offset of what it was given last, and what waits until its past has come.
        self.given = 0
        self.waiting: list[Publication] | None = None

    async def ready(self) -> None:
        """Waits until the server has let it in; raises if it is refused for good."""
        await asyncio.shield(self._ready)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Publication:
        while True:
            while self._queue:
                found = self._queue.popleft()
                self.position = found.position
                if isinstance(found, Publication):
                    return found
                self._tell_gap(found)
            if self._ended:
                error, self._error = self._error, None
                if error:
                    raise error
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()

    def close(self) -> None:
        """Ends it. What is not handed over yet is dropped."""
        self._queue.clear()
        self.end(None)

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _tell_gap(self, gap: Gap) -> None:
        if self._on_gap:
            self._on_gap(gap)
        else:
            log.warning("channel %s: publications before %s were lost", gap.channel, gap.position)

    # What the client calls.

    def joins(self, left: Callable[[Subscription], None]) -> None:
        self._left = left

    def answered(self, position: str | None) -> None:
        if self.position is None and not self._queue:
            self.position = position
        if not self._ready.done():
            self._ready.set_result(None)

    def refused(self, error: TidingsError) -> None:
        if not self._on_refused:
            return log.warning("channel %s was refused for now: %s", self.channel, error)
        try:
            self._on_refused(error)
        except Exception:  # it is the program's, and not in its place: the connection goes on
            log.exception("on_refused of channel %s raised", self.channel)

    def give(self, publication: Publication) -> None:
        self.given = publication.offset
        if self._ended:
            return
        if len(self._queue) >= self._buffer:
            last = self._queue[-1].position
            return self.end(TidingsError(0, "slow_consumer", f"more than {self._buffer} publications wait to be read; since={last!r} goes on after them"))
        self._put(publication)

    def gap(self, gap: Gap) -> None:
        if not self._ended:
            self._put(gap)

    def _put(self, each: Publication | Gap) -> None:
        self._queue.append(each)
        self._wake.set()

    def end(self, error: TidingsError | None) -> None:
        """Nothing comes any more: what waits is still handed over, then it ends, or raises the error."""
        if self._ended:
            return
        self._ended = True
        self._error = error
        if not self._ready.done():
            self._ready.set_exception(error or TidingsError(0, "closed", "the subscription was closed"))
            self._ready.exception()  # not waiting for it is allowed
        self._wake.set()
        self._left(self)
