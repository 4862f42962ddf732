"""A backend that publishes arrays of requests over WebSockets:  batches.py ADDRESS SECONDS CONNECTIONS BATCH

Each connection has one array in progress. Prints how many publications were answered, and fails unless each was with 200."""
import base64
import os
import select
import socket
import struct
import sys
import time

from parties import CHANNELS, PATIENCE

DATA = b"\"" + b"x" * 126 + b"\""


def connected(address):
    host, port = address.rsplit(":", 1)
    stream = socket.create_connection((host, int(port)), PATIENCE)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    key = base64.b64encode(os.urandom(16)).decode()
    stream.sendall((f"GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                    f"Sec-WebSocket-Key: {key}\r\n\r\n").encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += stream.recv(1)
    if b" 101 " not in head:
        raise RuntimeError(head.decode())
    return stream


def array(first, batch):
    """A frame with publications to channels that follow each other; its mask is zeros, which change nothing."""
    requests = [b'{"method":"POST","path":"/channels/load-%d","data":%s}' % ((first + place) % CHANNELS, DATA) for place in range(batch)]
    text = b"[" + b",".join(requests) + b"]"
    # 126 stands for two bytes of length, 127 for eight.
    length = b"\xfe" + struct.pack(">H", len(text)) if len(text) < 1 << 16 else b"\xff" + struct.pack(">Q", len(text))
    return b"\x81" + length + bytes(4) + text


class Publisher:
    """A connection that waits for the answer to its array."""

    def __init__(self, address, number, batch):
        self.stream, self.batch, self.came = connected(address), batch, bytearray()
        self.frames = [array(number * 37 + batch * turn, batch) for turn in range(8)]
        self.turn = 0

    def send(self):
        self.turn += 1
        self.stream.sendall(self.frames[self.turn % len(self.frames)])

    def answered(self):
        """Reads what has come; how many publications were answered."""
        self.came += self.stream.recv(1 << 20)
        if len(self.came) < 4:
            return 0
        length, start = self.came[1], 2
        if length == 126:
            (length,), start = struct.unpack_from(">H", self.came, 2), 4
        elif length == 127:
            (length,), start = struct.unpack_from(">Q", self.came, 2), 10
        if len(self.came) < start + length:
            return 0
        if len(self.came) > start + length or self.came.count(b'"status":200') != self.batch:
            raise RuntimeError(f"an answer that is none: {bytes(self.came[:500])}")
        self.came.clear()
        return self.batch


def main():
    address, seconds, connections, batch = sys.argv[1], *map(int, sys.argv[2:])
    os.sched_setaffinity(0, {1})
    publishers = {}
    for number in range(connections):
        publisher = Publisher(address, number, batch)
        publishers[publisher.stream] = publisher
        publisher.send()
    count, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        ready, _, _ = select.select(list(publishers), [], [], PATIENCE)
        if not ready:
            raise RuntimeError("no answer came")
        for stream in ready:
            if answered := publishers[stream].answered():
                count += answered
                publishers[stream].send()
    print(count)


main()
