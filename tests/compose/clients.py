"""Clients as they are outside: a publisher of numbers, readers of event streams and of a socket that resume, and the account of both."""

import base64
import dataclasses
import http.client
import json
import os
import socket
import threading
import time

WAIT_SECONDS = 30
# What a reader's list has where it was told that something may be missing.
TOLD = -1


@dataclasses.dataclass
class Front:
    """Where clients connect to, and what they say that it is called."""

    address: str
    port: int
    key: str
    host: str = "localhost:8080"

    def connect(self, wait: float = WAIT_SECONDS) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.address, self.port, timeout=wait)

    def head(self, **more: str) -> dict[str, str]:
        return {"Host": self.host, "Authorization": f"Bearer {self.key}"} | {name.replace("_", "-"): value for name, value in more.items()}

    def get(self, path: str) -> tuple[int, dict]:
        connection = self.connect()
        try:
            connection.request("GET", path, headers=self.head())
            response = connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        finally:
            connection.close()


class Client(threading.Thread):
    """Goes on until it is stopped."""

    def __init__(self, front: Front, channel: str) -> None:
        super().__init__(daemon=True)
        self.front, self.channel, self.is_over = front, channel, False
        self.path = f"/channels/{channel}"


class Publisher(Client):
    """Publishes 1, 2, 3, …, each with its idempotency key until it is answered."""

    def __init__(self, front: Front, channel: str) -> None:
        super().__init__(front, channel)
        self.pace_seconds = 0.02
        # When each was answered, and when something else was said: the time, the status or error, the code.
        self.answered: dict[int, float] = {}
        self.refused: list[tuple[float, str]] = []

    def run(self) -> None:
        connection = self.front.connect()
        number = 1
        while not self.is_over:
            outcome = self.publish(connection, number)
            if outcome == "200":
                self.answered[number] = time.monotonic()
                number += 1
            else:
                self.refused.append((time.monotonic(), outcome))
                connection.close()
            time.sleep(self.pace_seconds)

    def publish(self, connection: http.client.HTTPConnection, number: int) -> str:
        head = self.front.head(Idempotency_Key=f"n{number}", Content_Type="application/json")
        try:
            connection.request("POST", self.path, body=str(number), headers=head)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        if response.status == 200:
            return "200"
        try:
            return f"{response.status} {json.loads(body)['error']['code']}"
        except (ValueError, KeyError, TypeError):
            return f"{response.status} of the proxy"

    def longest_pause(self, since: float) -> tuple[float, float]:
        """How long nothing was answered, and from when, looking from a time on."""
        times = [since, *sorted(at for at in self.answered.values() if at > since), time.monotonic()]
        return max((after - before, before) for before, after in zip(times, times[1:]))

    def refusals(self, since: float) -> dict[str, int]:
        found: dict[str, int] = {}
        for at, outcome in list(self.refused):
            if at >= since:
                found[outcome] = found.get(outcome, 0) + 1
        return found


class Reader(Client):
    """An event stream that comes back with its position."""

    def __init__(self, front: Front, channel: str) -> None:
        super().__init__(front, channel)
        self.seen: list[int] = []
        self.position: str | None = None
        # Up to where a snapshot has all that comes.
        self.known_to = ("", 0)
        self.comebacks = self.recovered = 0
        self.statuses: dict[str, int] = {}

    def run(self) -> None:
        while not self.is_over:
            try:
                self.follow()
            except (OSError, http.client.HTTPException, ValueError) as error:
                name = type(error).__name__
                self.statuses[name] = self.statuses.get(name, 0) + 1
            time.sleep(0.2)

    def follow(self) -> None:
        connection = self.front.connect()
        more = {"Last_Event_ID": self.position} if self.position else {}
        try:
            connection.request("GET", self.path, headers=self.front.head(Accept="text/event-stream", **more))
            response = connection.getresponse()
            if response.status != 200:
                raise http.client.HTTPException(response.status)
            block: dict[str, str] = {}
            while not self.is_over and (line := response.readline()):
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field:
                    block[field] = value
                    continue
                self.take(block)
                block = {}
        finally:
            connection.close()

    def take(self, block: dict[str, str]) -> None:
        kind = block.get("event", "message")
        data = json.loads(block.get("data", "null"))
        self.position = block.get("id", self.position)
        if kind == "position":
            self.came(data)
        elif kind == "reset":
            self.told()
        elif kind == "message" and data is not None:
            self.push(data)

    def came(self, answer: dict) -> None:
        """Where the channel is, and after a comeback whether all that was missed follows."""
        if "recovered" in answer:
            self.comebacks += 1
            self.recovered += answer["recovered"]
            if not answer["recovered"]:
                self.told()

    def push(self, number: int) -> None:
        epoch, _, offset = self.position.rpartition(":")
        if epoch != self.known_to[0] or int(offset) > self.known_to[1]:
            self.seen.append(number)

    def told(self) -> None:
        """Something may be missing: all that there is is loaded anew."""
        self.seen.append(TOLD)
        status, page = self.front.get(f"{self.path}?last=1000")
        if status == 200:
            known = set(self.seen)
            self.seen += [one["data"] for one in page["publications"] if one["data"] not in known]
            self.known_to = (page["epoch"], page["offset"])

    def silent_gaps(self) -> list[tuple[int, int]]:
        """Where a number follows that is not the next, and nothing was said."""
        return [(a, b) for a, b in zip(self.seen, self.seen[1:]) if TOLD not in (a, b) and b != a + 1]

    def doubles(self) -> list[int]:
        """What came twice, though nothing was said in between."""
        found, since = [], set()
        for number in self.seen:
            since = set() if number == TOLD else since
            found += [number] if number in since else []
            since.add(number)
        return found


class Socket(Reader):
    """The same over a WebSocket, by hand: RFC 6455 as far as small messages need it."""

    def follow(self) -> None:
        stream = socket.create_connection((self.front.address, self.front.port), timeout=WAIT_SECONDS)
        try:
            key = base64.b64encode(os.urandom(16)).decode()
            more = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
            since = f"?since={self.position}" if self.position else ""
            lines = [f"GET {self.path}{since} HTTP/1.1", *(f"{name}: {value}" for name, value in (self.front.head() | more).items()), "", ""]
            stream.sendall("\r\n".join(lines).encode())
            file = stream.makefile("rb")
            status = file.readline().split()[1]
            while file.readline().strip():
                pass
            if status != b"101":
                raise ValueError(status)
            while not self.is_over:
                self.heard(stream, *self.frame(file))
        finally:
            stream.close()

    @staticmethod
    def send(stream: socket.socket, opcode: int, payload: bytes) -> None:
        assert len(payload) < 126
        # A mask of zeros masks nothing.
        stream.sendall(bytes([0x80 | opcode, 0x80 | len(payload), 0, 0, 0, 0]) + payload)

    @staticmethod
    def frame(file) -> tuple[int, bytes]:
        head = file.read(2)
        if len(head) < 2:
            raise ConnectionResetError("the socket ended")
        length = head[1] & 0x7F
        if length >= 126:
            length = int.from_bytes(file.read(2 if length == 126 else 8))
        return head[0] & 15, file.read(length)

    def heard(self, stream: socket.socket, opcode: int, payload: bytes) -> None:
        if opcode == 9:
            self.send(stream, 10, payload)
        elif opcode == 8:
            raise ConnectionResetError("closed")
        elif opcode == 1:
            self.understand(json.loads(payload))

    def understand(self, said: dict) -> None:
        if "epoch" in said:
            # Pushes name no epoch: it is that of the last answer or reset.
            self.epoch = said["epoch"]
        if said.get("reset"):
            self.position = f"{self.epoch}:{said['offset']}"
            self.told()
        elif "publications" in said:
            publications = said["publications"]
            self.position = f"{self.epoch}:{said['offset']}"
            self.came(said)
            self.seen += [one["data"] for one in publications if said.get("recovered")]
        elif "data" in said:
            self.position = f"{self.epoch}:{said['offset']}"
            self.push(said["data"])
