"""Redis without a node: the script that publishes, sent as fast as it is answered. It is where Redis ends, since it waits for nobody."""
import os
import socket
import tempfile
import threading
import time

from parties import AOF, HERE, PATIENCE, Redis, cpu

SCRIPT = os.path.join(HERE, "../../src/engine/redis/scripts/publish.lua")
CHANNELS = 1000
# name: (publications in progress, connections that read all channels, publications of a history, arguments of Redis)
CASES = {
    "1 in progress, no reader": (1, 0, 1000, []),
    "16 in progress, no reader": (16, 0, 1000, []),
    "128 in progress, no reader": (128, 0, 1000, []),
    "128 in progress, 1 node reads": (128, 1, 1000, []),
    "128 in progress, 4 nodes read": (128, 4, 1000, []),
    "128 in progress, 1 node reads, history_count = 0": (128, 1, 0, []),
    "128 in progress, 1 node reads, append-only file": (128, 1, 1000, AOF),
}
# A publication of 128 B as a node writes it.
BODY = b"t" * 16 + b"10" + b"x" * 144


def order(*parts):
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def publication(sha, channel, most):
    keys = [b"td:{load-%d}%s" % (channel, end) for end in (b"m", b"h", b"k")]
    # Too late in the year 2286; no key, and no ticket of one that was sent before.
    arguments = [BODY, b"td:{load-%d}f" % channel, b"%d" % most, b"1048576", b"3600", b"86400", b"epochepoch", b"1", b"", b"", b"9999999999999", b""]
    return order(b"EVALSHA", sha, b"3", *keys, *arguments)


def drained(stream):
    try:
        while stream.recv(1 << 20):
            pass
    except OSError:
        # It was shut down with something unread.
        pass


def readers(redis, count):
    """Connections that read all channels, each emptied by a thread until it is shut down."""
    streams = []
    for _ in range(count):
        stream = socket.create_connection(("127.0.0.1", redis.port), PATIENCE)
        stream.sendall(b"".join(order(b"SUBSCRIBE", b"td:{load-%d}f" % channel) for channel in range(CHANNELS)))
        stream.settimeout(None)
        threading.Thread(target=drained, args=[stream], daemon=True).start()
        streams.append(stream)
    return streams


def answered(stream, count):
    """Reads the answers to so many orders: each is a bulk string, two lines."""
    lines = 0
    while lines < 2 * count:
        some = stream.recv(1 << 20)
        if not some or b"-" == some[:1]:
            raise RuntimeError(f"Redis: {some[:200]}")
        lines += some.count(b"\r\n")


def alone(out, seconds, case):
    """One figure: µs of Redis per publication, and publications a second."""
    progress, count, most, arguments = CASES[case]
    with tempfile.TemporaryDirectory(dir=out) as folder:
        redis = Redis(folder, arguments)
        # On the core that nodes have otherwise: what sends is on the other one.
        os.sched_setaffinity(redis.process.pid, {0})
        streams = []
        try:
            streams = readers(redis, count)
            stream = socket.create_connection(("127.0.0.1", redis.port), PATIENCE)
            streams.append(stream)
            with open(SCRIPT, "rb") as file:
                stream.sendall(order(b"SCRIPT", b"LOAD", file.read()))
            sha = stream.recv(1 << 10).split(b"\r\n")[1]
            each = [publication(sha, channel, most) for channel in range(CHANNELS)]
            blocks = [b"".join(each[(first + one) % CHANNELS] for one in range(progress)) for first in range(0, CHANNELS, progress)]
            return counted(redis, stream, blocks, progress, seconds)
        finally:
            for stream in streams:
                stream.shutdown(socket.SHUT_RDWR)
            redis.stop()


def counted(redis, stream, blocks, progress, seconds):
    for block in blocks:
        stream.sendall(block)
        answered(stream, progress)
    before, began, count = cpu(redis.process.pid), time.monotonic(), 0
    while time.monotonic() < began + seconds:
        for block in blocks:
            stream.sendall(block)
            answered(stream, progress)
        count += len(blocks) * progress
    took, used = time.monotonic() - began, cpu(redis.process.pid) - before
    return {"cpu": used / count * 1e6, "rate": count / took, "busy": used / took}
