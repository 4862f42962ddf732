"""What is sent and what comes. Everything is turned into a frame, and checked, before it is queued."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

from ._errors import TidingsError
from ._values import Limits, Publication

Frame = str | bytes
Message = dict[str, Any]


def path_of(channel: str) -> str:
    try:
        return "/channels/" + quote(channel, safe="!'()*~")
    except UnicodeEncodeError:
        raise TidingsError(400, "bad_channel", "a channel's name is Unicode; this one holds half of a surrogate pair") from None


def json_of(value: Any) -> str:
    """The JSON of a value, or an error that says why it has none."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise TidingsError(400, "bad_json", f"the data cannot be written as JSON: {error}") from error
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))  # half of a surrogate pair is JSON when escaped
    return text


def frame_of(request: Message, data: str | None = None, body: bytes | None = None) -> Frame:
    """The frame of a request: text with `data` as it was written, or, with a body, binary."""
    head = json_of({name: value for name, value in request.items() if value is not None})
    if body is not None:
        return head.encode() + b"\n" + body
    return head if data is None else f'{head[:-1]},"data":{data}}}'


def check_frame(frame: Frame, limits: Limits) -> None:
    """Raises if the server would end the connection over this frame."""
    if isinstance(frame, bytes) and not limits.binary:
        raise TidingsError(400, "unsupported_data", "this server accepts no binary frames (websocket.binary = false): publish JSON")
    size = len(frame) if isinstance(frame, bytes) else len(frame.encode())
    if size > limits.message_bytes:
        raise TidingsError(413, "message_too_big", f"the request has {size} bytes and the server accepts {limits.message_bytes}")


def messages_of(frame: Frame) -> list[Message]:
    """The messages of a frame: one, those of an array, or none if it cannot be read."""
    try:
        if isinstance(frame, bytes):
            head, found, body = frame.partition(b"\n")
            message = json.loads(head) if found else None
            return [{**message, "data": body}] if isinstance(message, dict) else []
        read = json.loads(frame)
    except (ValueError, RecursionError):
        return []
    return [each for each in (read if isinstance(read, list) else [read]) if isinstance(each, dict)]


def publication_of(channel: str, epoch: str, message: Message) -> Publication:
    """A publication of a push, or of an answer."""
    data = message.get("data")
    if isinstance(message.get("data_base64"), str):
        data = base64.b64decode(message["data_base64"])
    offset = message["offset"]
    return Publication(channel, f"{epoch}:{offset}", offset, data, message.get("event"), message.get("time"), message.get("content_type"))
