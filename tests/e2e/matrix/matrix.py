"""The matrix of Python's clients: websockets, aiohttp and picows:  python3 matrix.py PATH/TO/tidings"""

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import aiohttp
import picows
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from clients import Checks, equal, start_with  # noqa: E402

MATRIX = json.loads(Path(__file__).with_name("matrix.json").read_text())
LIMIT = 30
# Over TLS (over-tls.sh): each of the clients trusts what SSL_CERT_FILE names.
OWN = os.environ.get("CERTIFICATES")
TLS = ["--server.tls", "true", "--tls.chain", f"{OWN}/chain.pem", "--tls.key", f"{OWN}/key.pem"] if OWN else []
# Several times the server's ping_idle; over TLS one ping is as good as four.
PATIENCE = 0.25 * ((1 if OWN else MATRIX["pings"]) + 1)


def text(size):
    """As many bytes, three to a character where they fit."""
    return "".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(size // 3)) + "x" * (size % 3)


def binary(size):
    return bytes((n * n >> 3) & 0xFF for n in range(size))


class Websockets:
    name = "Python websockets"
    codes = [code for code in MATRIX["codes"] if code != 1010]

    def __init__(self, base, compress):
        self.base, self.compress = base, compress

    async def open(self, path):
        self.socket = await connect(self.base + path, proxy=None, max_size=None, ping_interval=None,
                                    compression="deflate" if self.compress else None)
        return self

    def agreed(self):
        return any(type(each).__name__ == "PerMessageDeflate" for each in self.socket.protocol.extensions)

    async def send(self, data):
        await self.socket.send(data)

    async def fragments(self, parts):
        await self.socket.send(iter(parts))

    async def receive(self):
        return await self.socket.recv()

    async def ping(self):
        await (await self.socket.ping(b"between"))

    async def close(self, code):
        await self.socket.close(code)
        return self.socket.close_code

    async def closed(self):
        try:
            while True:
                await self.socket.recv()
        except ConnectionClosed:
            return self.socket.close_code


class Aiohttp:
    name = "aiohttp"
    codes = [code for code in MATRIX["codes"] if code != 1010]

    def __init__(self, base, compress):
        self.base, self.compress = base, compress

    async def open(self, path):
        self.session = aiohttp.ClientSession()
        self.socket = await self.session.ws_connect(self.base + path, compress=15 if self.compress else 0,
                                                    max_msg_size=0)
        return self

    def agreed(self):
        return bool(self.socket.compress)

    async def send(self, data):
        await (self.socket.send_str(data) if isinstance(data, str) else self.socket.send_bytes(data))

    fragments = None  # it has no way to send them

    async def receive(self):
        return (await self.socket.receive()).data

    async def ping(self):
        await self.socket.ping(b"between")

    async def close(self, code):
        await self.socket.close(code=code)
        await self.session.close()
        return self.socket.close_code

    async def closed(self):
        message = await self.socket.receive()
        while message.type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
            message = await self.socket.receive()
        await self.session.close()
        # Its close_code is that of its own answer, for which the server may not have waited.
        return message.data if message.type is aiohttp.WSMsgType.CLOSE else self.socket.close_code


class Picows(picows.WSListener):
    name = "picows"
    codes = MATRIX["codes"]

    def __init__(self, base, compress):
        self.base, self.compress = base, compress
        self.queue, self.pongs = asyncio.Queue(), asyncio.Queue()

    async def open(self, path):
        self.transport, _ = await picows.ws_connect(lambda: self, self.base + path, max_frame_size=1 << 25)
        return self

    def on_ws_frame(self, transport, frame):
        kind = frame.msg_type
        if kind == picows.WSMsgType.CLOSE:
            code = frame.get_close_code()
            transport.send_close(code)
            transport.disconnect()
            self.queue.put_nowait(("close", int(code)))
        elif kind == picows.WSMsgType.PONG:
            self.pongs.put_nowait(frame.get_payload_as_bytes())
        elif kind == picows.WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        else:
            is_text = kind == picows.WSMsgType.TEXT
            self.queue.put_nowait(frame.get_payload_as_utf8_text() if is_text else frame.get_payload_as_bytes())

    def agreed(self):
        return False  # it knows no extensions

    async def send(self, data):
        kind = picows.WSMsgType.TEXT if isinstance(data, str) else picows.WSMsgType.BINARY
        self.transport.send(kind, data.encode() if isinstance(data, str) else data)

    async def fragments(self, parts):
        for index, part in enumerate(parts):
            kind = picows.WSMsgType.CONTINUATION if index else picows.WSMsgType.TEXT
            self.transport.send(kind, part.encode(), fin=index == len(parts) - 1)

    async def receive(self):
        return await self.queue.get()

    async def ping(self):
        self.transport.send_ping(b"between")
        equal(await self.pongs.get(), b"between", "pong")

    async def close(self, code):
        self.transport.send_close(code, b"bye")
        return await self.closed()

    async def closed(self):
        while True:
            item = await self.queue.get()
            if isinstance(item, tuple):
                return item[1]


async def echoes(client, make):
    await client.open("/echo")
    for size in MATRIX["sizes"]:
        await client.send(make(size))
        equal(await client.receive() == make(size), True, f"{size} bytes")
    await client.close(1000)


async def compresses(client, offers):
    await client.open("/echo")
    equal(client.agreed(), offers, "agreed to compression")
    prices = '{"symbol":"ACME","price":110.25},' * 1000
    await client.send(prices)
    equal(await client.receive() == prices, True, "what compresses well")
    await client.close(1000)


async def fragments(client):
    await client.open("/echo")
    parts = ["时间", "x" * 2000, "", "end"]
    await client.fragments(parts)
    equal(await client.receive(), "".join(parts), "message")
    await client.close(1000)


async def pings(client):
    await client.open("/echo")
    await client.ping()
    await client.send("first")
    equal(await client.receive(), "first", "echo")
    waiting = asyncio.ensure_future(client.receive())  # reads, and so answers, while nothing comes
    done, _ = await asyncio.wait([waiting], timeout=PATIENCE)
    equal(len(done), 0, "messages during the silence")
    await client.send("still here")
    equal(await waiting, "still here", "after the silence")
    await client.close(1000)


async def closes(make):
    for code in make().codes:
        equal(await (await make().open("/echo")).close(code), code, "code")


async def is_told(make):
    for data, code in [("x" * 65_537, 1009), (b"x" * 10, 1003)]:
        client = await make().open("/ws")
        await client.send(data)
        equal(await client.closed(), code, "code")


async def subscribes(make, channel):
    path = f"/channels/{channel}"

    async def ask(client, **request):
        await client.send(json.dumps(request))
        return json.loads(await client.receive())

    first = await make().open("/ws")
    position = await ask(first, id=1, method="GET", path=path)
    push = await ask(first, id=2, method="POST", path=path, data="one")
    equal(push["data"], "one", "push")
    equal(json.loads(await first.receive())["status"], 200, "answer")
    await first.close(1000)
    second = await make().open("/ws")
    equal((await ask(second, id=1, method="POST", path=path, data="two"))["status"], 200, "publish")
    resumed = await ask(second, id=2, method="GET", path=path, since=f"{position['epoch']}:1")
    equal([resumed["recovered"], [each["data"] for each in resumed["publications"]]], [True, ["two"]], "resume")
    await second.close(1000)


def main():
    checks = Checks()
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as config:
        config.write(MATRIX["server"])
        config.flush()
        server, host, port = start_with([sys.argv[1], "serve", "--config", config.name, *TLS])
    base = f"{'wss' if TLS else 'ws'}://{host}:{port}"
    for kind in (Websockets, Aiohttp, Picows):
        for compress in (False, True) if kind is not Picows else (False,):
            how = " with compression" if compress else ""

            def make(kind=kind, compress=compress):
                return kind(base, compress)

            def check(sentence, body, name=kind.name + how):
                async def run():  # clients want a running loop when they are made
                    await body()
                checks.check(f"{name} {sentence}", run)

            check("echoes text of every size", lambda: echoes(make(), text))
            check("echoes binary of every size", lambda: echoes(make(), binary))
            check("agrees to compression when it offers it, and only then", lambda c=compress: compresses(make(), c))
            check("is answered its pings, and answers the server's", lambda: pings(make()))
            if kind.fragments:
                check("sends fragments", lambda: fragments(make()))
            check("closes with each code, and reads it back", lambda: closes(make))
            check("is told why the server closes: 1009 too big, 1003 not taken", lambda: is_told(make))
            check("subscribes, is pushed to, resumes", lambda k=kind, c=compress: subscribes(make, f"{k.__name__}-{c}"))

    async def goodbyes():
        clients = [await kind(base, False).open("/echo") for kind in (Websockets, Aiohttp, Picows)]
        server.send_signal(signal.SIGTERM)
        equal([await client.closed() for client in clients], [1012] * 3, "codes")

    checks.check("all three are told 1012 when the server drains", goodbyes)
    checks.check("the server ends cleanly", lambda: equal(server.wait(LIMIT), 0, "exit code"))
    print(f"{checks.passed} passed, {checks.failed} failed")
    sys.exit(1 if checks.failed else 0)


if __name__ == "__main__":
    main()
