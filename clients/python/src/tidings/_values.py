"""What the client hands over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Publication:
    """One publication, as every subscriber of its channel receives it."""

    channel: str
    #: Where it is, `epoch:offset`: a subscription with this as `since` goes on after it.
    position: str
    #: 1, 2, 3 … within the channel's epoch.
    offset: int
    #: What was published: a JSON value, or bytes.
    data: Any
    event: str | None = None
    #: Milliseconds since 1970, where the server is set to tell it.
    time: int | None = None
    #: Of bytes.
    content_type: str | None = None


@dataclass(frozen=True)
class Gap:
    """Continuity is lost: what was published up to `position` and has not been handed over cannot be had."""

    channel: str
    position: str


@dataclass(frozen=True)
class Published:
    """The answer to a publication."""

    channel: str
    epoch: str
    offset: int
    #: False if it was delivered and is not in the history.
    kept: bool = True


@dataclass(frozen=True)
class Emptied:
    """A channel whose history was emptied, and where it stands."""

    channel: str
    epoch: str
    offset: int


@dataclass(frozen=True)
class History:
    """A page of what a channel remembers."""

    channel: str
    #: From where the next page goes on.
    position: str
    #: Only if `since` was given: whether everything after it is there.
    recovered: bool | None
    publications: list[Publication]


@dataclass(frozen=True)
class Limits:
    """What one message may be; the server's defaults until it has sent its own."""

    message_bytes: int = 65_536
    body_bytes: int = 1_048_576
    binary: bool = True
    batch: int = 100


def limits_of(answer: dict[str, Any]) -> Limits:
    """The limits in an answer; the usual ones for what it does not say."""
    usual = Limits()
    if answer["status"] >= 400:
        return usual

    def number(name: str, default: int) -> int:
        value = answer.get(name)
        return value if type(value) is int and value > 0 else default

    binary = answer.get("binary")
    return Limits(
        number("message_bytes", usual.message_bytes),
        number("body_bytes", usual.body_bytes),
        binary if isinstance(binary, bool) else usual.binary,
        number("batch", usual.batch),
    )
