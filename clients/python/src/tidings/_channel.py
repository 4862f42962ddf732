"""One subscribed channel: where it stands, and who reads it. Publications are given once and in order."""

from __future__ import annotations

import asyncio
from typing import Any

from ._frames import Message, path_of, publication_of
from ._subscription import Subscription
from ._values import Gap, Publication


def offset_of(position: str) -> int:
    _, _, offset = position.rpartition(":")
    return int(offset) if offset.isdecimal() else 0


class Channel:
    def __init__(self, name: str, since: str | None, last: int | None, binary: bool) -> None:
        self.name = name
        self.since = since
        self.last = last
        self.binary = binary
        self.epoch = ""
        self.offset = 0
        self.live = False
        self.lived = asyncio.Event()
        self.subscriptions: list[Subscription] = []
        # Refusals since it was last let in, connections that broke while it was asked for, and when it is asked for again.
        self.tries = 0
        self.breaks = 0
        self.timer: asyncio.TimerHandle | None = None

    @property
    def position(self) -> str | None:
        return f"{self.epoch}:{self.offset}" if self.epoch else self.since

    def request(self, id: int) -> Message:
        """The request that goes on where this channel stands."""
        where: dict[str, Any] = {"since": self.position} if self.epoch else {"since": self.since, "last": self.last}
        return {"id": id, "method": "GET", "path": path_of(self.name), **where}

    def rest(self) -> None:
        """The connection is gone, or the subscription on it."""
        self.live = False
        self.calm()

    def calm(self) -> None:
        if self.timer:
            self.timer.cancel()
        self.timer = None

    def subscribed(self, answer: Message) -> None:
        """The server's answer to that request."""
        asked = self.position
        lost = asked is not None and answer.get("recovered") is False
        publications: list[Message] = answer.get("publications") or []
        if lost or answer["epoch"] != self.epoch:
            if asked is None or lost:
                begin = (publications[0]["offset"] if publications else answer["offset"] + 1) - 1
            else:
                begin = offset_of(asked)
            self._restart(answer["epoch"], begin)
        self.live = True
        self.tries = self.breaks = 0
        if lost:
            self._gap(answer["epoch"], answer["offset"])
        for message in publications:
            self._deliver(message)
        if asked is None or lost:
            self.offset = max(self.offset, answer["offset"])
        else:
            self._advance(answer["offset"], answer["offset"])
        self.lived.set()
        for subscription in list(self.subscriptions):
            subscription.answered(self.position)

    def push(self, message: Message) -> None:
        if not self.live:
            return  # not yet answered
        if message.get("reset"):
            self._restart(message["epoch"], message["offset"])
            self._gap(message["epoch"], message["offset"])
        elif "data" in message or "data_base64" in message:
            self._deliver(message)
        elif message.get("excluded"):
            self._advance(message["offset"])

    def passed(self, answer: Message) -> None:
        """The answer to a publication of this client that is not pushed to it: the position moves on as if it had been."""
        if self.live and answer.get("epoch") == self.epoch and answer.get("offset") == self.offset + 1:
            self.offset += 1

    def _advance(self, offset: int, reached: int | None = None) -> bool:
        """Moves on to `offset`; false if that was reached before. Nothing has reported what lies between, so this does."""
        if offset <= self.offset:
            return False
        reached = offset - 1 if reached is None else reached
        if reached > self.offset:
            self._gap(self.epoch, reached)
        self.offset = offset
        return True

    def _restart(self, epoch: str, offset: int) -> None:
        """Continuity is lost. What waits for a reader's past came before that, and is not mixed with what comes after it."""
        self.epoch = epoch
        self.offset = offset
        for subscription in self.subscriptions:
            self.release(subscription, done=False)
            subscription.given = offset if subscription.waiting is None else 0

    def _gap(self, epoch: str, offset: int) -> None:
        for subscription in list(self.subscriptions):
            subscription.gap(Gap(self.name, f"{epoch}:{offset}"))

    def _deliver(self, message: Message) -> None:
        if not self._advance(message["offset"]):
            return
        publication = publication_of(self.name, self.epoch, message)
        for subscription in list(self.subscriptions):
            if subscription.waiting is None:
                subscription.give(publication)
            else:
                subscription.waiting.append(publication)

    def release(self, subscription: Subscription, done: bool) -> None:
        """Gives what waited; a reader whose past is there takes part from then on."""
        waited, subscription.waiting = subscription.waiting, None if done or subscription.waiting is None else []
        for publication in waited or []:
            self.give_again(subscription, publication)

    def give_again(self, subscription: Subscription, publication: Publication) -> None:
        if publication.offset > subscription.given:
            subscription.give(publication)
