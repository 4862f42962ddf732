"""What a request fails with, and what the end of a connection means."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any


class TidingsError(Exception):
    """A refusal or a failure.

    `status` uses HTTP's numbers (0 when the server never answered), `code` names the cause for programs, and `retry_after`
    says in how many seconds the same would be allowed, where the server knows it. `position` is where the channel is, of a
    publication that was to follow another position.
    """

    def __init__(
        self, status: int, code: str, message: str, retry_after: float | None = None, position: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.position = position

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    @property
    def final(self) -> bool:
        """Whether the same will be refused again, however often it is asked for."""
        return is_final(self.status)


# Statuses that another attempt may well change; all others from 400 to 499 stay what they are.
_PASSING = {408, 425, 429}


def is_final(status: int) -> bool:
    return (400 <= status < 500 and status not in _PASSING) or status == 501


def error_of(answer: dict[str, Any]) -> TidingsError:
    """The error of an answer that refuses."""
    status = answer["status"]
    error = answer.get("error")
    if not isinstance(error, dict):
        error = {}
    after = error.get("retry_after_ms")
    retry_after = after / 1000 if isinstance(after, (int, float)) and after >= 0 else None
    position = f"{error['epoch']}:{error['offset']}" if "epoch" in error and "offset" in error else None
    message = str(error.get("message", f"the server answered {status}"))
    return TidingsError(status, str(error.get("code", "unknown")), message, retry_after, position)


# Closes that something which was sent has caused, with the code and status of an answer that would say the same.
_FAULTS = {1002: ("protocol_error", 400), 1003: ("unsupported_data", 400), 1007: ("invalid_utf8", 400), 1009: ("message_too_big", 413)}
_FAULTY_LABELS = {"too_many_fragments", "bad_request"}
_LABEL = re.compile(r"[a-z][a-z0-9_]*(?=:|$)")


@dataclass(frozen=True)
class Close:
    """The end of a connection.

    `fault` is what the oldest unanswered request is rejected with, since the server has answered all that it read before;
    `refusal` is why the server refuses the connection; neither, and `silent`, is an end without an explanation.
    """

    code: int
    label: str
    message: str
    fault: dict[str, Any] | None = None
    refusal: TidingsError | None = None
    silent: bool = False
    retry_after: float = 0.0


def close_of(code: int, reason: str) -> Close:
    """The meaning of a Close."""
    match = _LABEL.match(reason)
    label = match.group() if match else ""
    sentence = reason[len(label) + 1 :].strip() if label else reason.strip()
    message = sentence or f"the connection was closed with {code} {label}".rstrip()
    if 4400 <= code < 4500:
        return Close(code, label, message, refusal=TidingsError(code - 4000, label or "refused", message))
    if code in _FAULTS or (code == 1008 and label in _FAULTY_LABELS):
        name, status = _FAULTS.get(code, (label, 400))
        return Close(code, label, message, fault={"status": status, "close": code, "error": {"code": label or name, "message": message}})
    return Close(code, label, message, silent=code in (0, 1005, 1006, 1011))
