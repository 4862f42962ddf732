"""What is to be answered: questions of the client's own, and requests that outlive connections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ._errors import Close, TidingsError, error_of
from ._frames import Frame, Message


@dataclass
class Sent:
    """Who hears of the answer, or of a connection that broke while this was the oldest without one."""

    answered: Callable[[Message], None]
    suspected: Callable[[Close], None] = lambda _: None


@dataclass(eq=False)
class Request:
    """A request of the program; its frame is the same each time it is sent."""

    id: int
    frame: Frame
    again: bool
    resends: int
    future: asyncio.Future[Message]
    breaks: int = 0

    def answered(self, answer: Message) -> None:
        if answer["status"] >= 400:
            self.fail(error_of(answer))
        elif not self.future.done():
            self.future.set_result(answer)

    def suspected(self, _: Close) -> None:
        self.breaks += 1
        if self.breaks >= self.resends:
            self.fail(TidingsError(0, "connection_lost", f"{self.breaks} connections broke before the answer came"))

    def fail(self, error: TidingsError) -> None:
        if not self.future.done():
            self.future.set_exception(error)
