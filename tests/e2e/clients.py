"""Python's websockets (17.x) and plain http.client against the tidings binary: python3 clients.py PATH/TO/tidings"""

import asyncio
import http.client
import json
import re
import signal
import subprocess
import sys
from urllib.parse import quote

from websockets.asyncio.client import connect

LIMIT = 30


class Checks:
    """Counts sentences that hold and sentences that do not."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, sentence, body):
        try:
            result = body()
            if asyncio.iscoroutine(result):
                asyncio.run(asyncio.wait_for(result, LIMIT))
            self.passed += 1
            print(f"ok {self.passed + self.failed} - {sentence}")
        except Exception as error:  # a failed check must not end the others
            self.failed += 1
            print(f"not ok {self.passed + self.failed} - {sentence}\n  # {type(error).__name__}: {error}")


def equal(found, wanted, what):
    if found != wanted:
        raise AssertionError(f"{what}: found {found!r}, wanted {wanted!r}")


def start(binary):
    return start_with([binary, "serve", "--listen", "127.0.0.1:0"])


def start_with(command):
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in server.stdout:
        match = re.search(r"listening on https?://([\d.]+):(\d+)", line)
        if match:
            return server, match[1], int(match[2])
    raise SystemExit("the server ended before it listened")


def request(address, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(*address, timeout=LIMIT)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    result = response.status, response.getheaders(), response.read()
    connection.close()
    return result


def publish(address, channel, data):
    body = json.dumps(data).encode()
    status, _, answer = request(address, "POST", f"/channels/{quote(channel, safe='')}", body, {"Content-Type": "application/json"})
    equal(status, 200, f"status of POST {channel}")
    return json.loads(answer)


async def ask(socket, **message):
    await socket.send(json.dumps(message))
    return json.loads(await socket.recv())


async def plain(url):
    async with connect(url, proxy=None) as socket:
        await socket.send("GET")
        equal(await socket.recv(), "服务器收到GET请求", "reply to GET")
        await socket.send(json.dumps({"name": "张三", "age": 25}))
        equal(await socket.recv(), "服务器收到POST请求,并返回数据", "reply to JSON")
        await (await socket.ping())
    equal(socket.close_code, 1000, "close code")


async def verbs(url, address):
    channel = "python 频道"
    path = f"/channels/{quote(channel, safe='')}"
    async with connect(url, subprotocols=["tidings.v1"], proxy=None) as socket:
        equal(socket.subprotocol, "tidings.v1", "subprotocol")
        answer = await ask(socket, id=1, method="GET", path=path)
        equal((answer["status"], answer["offset"]), (200, 0), "answer to GET")
        push = await ask(socket, id=2, method="POST", path=path, data=[1, "二"])
        equal((push["channel"], push["offset"], push["data"]), (channel, 1, [1, "二"]), "push")
        equal(json.loads(await socket.recv())["offset"], 1, "answer to POST")
        await socket.send(json.dumps([{"id": 3, "method": "GET", "path": "/livez"}, {"id": 4, "method": "GET", "path": "/nowhere"}]))
        batch = json.loads(await socket.recv())
        equal([item["status"] for item in batch], [200, 404], "batch")
    publish(address, channel, "while away")
    async with connect(url, subprotocols=["tidings.v1"], proxy=None) as socket:
        resumed = await ask(socket, id=1, method="GET", path=path, since=f"{answer['epoch']}:1")
        equal((resumed["recovered"], [each["data"] for each in resumed["publications"]]), (True, ["while away"]), "resume")


async def fragments(url):
    async with connect(url, proxy=None, compression=None) as socket:
        await socket.send(["G", "E", "T"])
        equal(await socket.recv(), "服务器收到GET请求", "reply to a fragmented GET")


def plain_http(address):
    connection = http.client.HTTPConnection(*address, timeout=LIMIT)
    for number in (1, 2):  # the same connection is kept
        connection.request("POST", "/channels/http", json.dumps(number), {"Content-Type": "application/json"})
        response = connection.getresponse()
        equal((response.status, json.loads(response.read())["offset"]), (200, number), "POST")
    connection.request("POST", "/channels/http", iter([b'{"chunk', b'ed":true}']), {"Content-Type": "application/json"}, encode_chunked=True)
    equal(json.loads(connection.getresponse().read())["offset"], 3, "chunked POST")
    connection.request("GET", "/channels/http?last=2")
    snapshot = json.loads(connection.getresponse().read())
    equal([each["data"] for each in snapshot["publications"]], [2, {"chunked": True}], "snapshot")
    connection.request("HEAD", "/channels/http")
    response = connection.getresponse()
    equal((response.status, response.read()), (200, b""), "HEAD")
    connection.close()


def event_stream(address):
    connection = http.client.HTTPConnection(*address, timeout=LIMIT)
    connection.request("GET", "/channels/http?last=1", headers={"Accept": "text/event-stream"})
    response = connection.getresponse()
    equal(response.getheader("Content-Type").split(";")[0], "text/event-stream", "type")
    lines = []
    while '{"chunked":true}' not in "".join(lines):
        line = response.readline().decode()
        if not line:
            raise AssertionError(f"the stream ended after {lines}")
        lines.append(line)
    equal(any(line.startswith("retry:") for line in lines), True, "a retry line")
    equal("event: position\n" in lines, True, "a position")
    connection.close()


def foreign_origin(address):
    headers = {"Content-Type": "application/json", "Origin": "http://evil.test"}
    status, _, body = request(address, "POST", "/channels/foreign", b"1", headers)
    equal((status, b"origin_not_allowed" in body), (403, True), "POST of a foreign origin")


def main():
    server, host, port = start(sys.argv[1])
    url, address, checks = f"ws://{host}:{port}/ws", (host, port), Checks()
    try:
        checks.check("websockets gets both plain replies and a pong", lambda: plain(url))
        checks.check("websockets GETs, POSTs, batches and resumes", lambda: verbs(url, address))
        checks.check("websockets sends a message in fragments", lambda: fragments(url))
        checks.check("http.client keeps its connection, sends chunks, reads a snapshot and a HEAD", lambda: plain_http(address))
        checks.check("http.client reads an event stream", lambda: event_stream(address))
        checks.check("a foreign origin may not publish", lambda: foreign_origin(address))
        server.send_signal(signal.SIGTERM)
        checks.check("the server drains and exits with 0", lambda: equal(server.wait(60), 0, "exit code"))
    finally:
        if server.poll() is None:
            server.kill()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
