"""What the tests against a real server share: the server, a proxy that cuts connections, and keys and tokens."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

BINARY = os.environ.get("TIDINGS_BINARY", "")
SECRET = "the-secret-of-the-tests-0123456789-abcdef"
ISSUER = f'[[issuer]]\nname = "tests"\nissuer = "tests"\naudience = "tidings"\nsecret = "{SECRET}"\nleeway = "0s"\n'


def within(work: Coroutine[Any, Any, None], seconds: float = 90) -> None:
    asyncio.run(asyncio.wait_for(work, seconds))


class Server:
    """The binary named by TIDINGS_BINARY, on a port that stays the same after a kill."""

    def __init__(self, folder: pathlib.Path, config: str = "") -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.config = folder / "tidings.toml"
        self.config.write_text(config)
        self.process: asyncio.subprocess.Process | None = None
        self.output: asyncio.Task[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    async def start(self) -> None:
        pipe, quiet = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        self.process = await asyncio.create_subprocess_exec(BINARY, "serve", "--listen", f"127.0.0.1:{self.port}", "--config", str(self.config), stdout=pipe, stderr=quiet)
        assert self.process.stdout
        line = await asyncio.wait_for(self.process.stdout.readline(), 30)
        assert b"listening on" in line, line

    async def end(self, by: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(by)
        await asyncio.wait_for(self.process.wait(), 60)


@asynccontextmanager
async def running(folder: pathlib.Path, config: str = "") -> AsyncIterator[Server]:
    server = Server(folder, config)
    await server.start()
    try:
        yield server
    finally:
        if server.process and server.process.returncode is None:
            await server.end(signal.SIGTERM)


class Proxy:
    """Passes bytes on to a port until it cuts what runs through it."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.writers: set[asyncio.StreamWriter] = set()
        self.accepted = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            self.writers |= {writer, far_writer}
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
            self.writers -= {writer, far_writer}

    def cut(self) -> int:
        """Breaks every connection in the middle of what it carries; returns how many."""
        for writer in self.writers:
            writer.transport.abort()
        return len(self.writers) // 2


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(4096):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()


@asynccontextmanager
async def proxied(port: int) -> AsyncIterator[tuple[Proxy, str]]:
    proxy = Proxy(port)
    listener = await asyncio.start_server(proxy, "127.0.0.1", 0)
    async with listener:
        yield proxy, f"ws://127.0.0.1:{listener.sockets[0].getsockname()[1]}/ws"
        proxy.cut()


def new_key(name: str, *more: str) -> tuple[str, str]:
    """A backend's key: its secret, and its block in a configuration."""
    made = subprocess.run([BINARY, "key", "new", name, *more], capture_output=True, text=True, check=True)
    block = re.search(r"\[\[key\]\].*", made.stderr, re.DOTALL)
    assert block
    return made.stdout.strip(), block.group()


def token_for(user: str, channels: list[str], seconds: float = 600) -> str:
    """A token of ISSUER's for a user who may read and write some channels, for so many seconds."""

    def part(value: object) -> str:
        raw = value if isinstance(value, bytes) else json.dumps(value).encode()
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    grants = [{"channels": channels, "may": ["read", "write"]}]
    claims = {"iss": "tests", "aud": "tidings", "sub": user, "exp": int(time.time() + seconds), "grants": grants}
    signed = f"{part({'alg': 'HS256'})}.{part(claims)}"
    return f"{signed}.{part(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"
