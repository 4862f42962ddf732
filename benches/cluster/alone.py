"""Redis without a node: the script that publishes, sent as fast as it is answered. It is where Redis ends, since it waits for nobody."""
import os
import socket
import struct
import tempfile
import threading
import time

from parties import AOF, CHANNELS, HERE, PATIENCE, Redis, cpu

# In two parts, as the node puts them together.
SCRIPTS = [os.path.join(HERE, "../../src/engine/redis/scripts", name) for name in ("meta.lua", "publish.lua")]
# Publications that a node has placed by one call.
BATCH = 16
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
# A publication of 128 B as a node writes it: its kind, its ticket, its time, nobody that does not want it, and data.
BODY = b"1" + b"t" * 16 + bytes(8) + b"\0" + b"1\0" + b"x" * 128


def order(*parts):
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def number(value):
    return b"\xcf" + struct.pack(">Q", value)


def text(value):
    return b"\xd9" + bytes([len(value)]) + value


def publications(sha, channels, most):
    """One call for a publication to each of these."""
    # Too late in the year 2286; no key, and no ticket of one that was sent before.
    limits = b"".join(map(number, (most, 1 << 20, 225, 3826, 86626, 9999999999999)))
    packed = limits + text(b"epochepoch") + number(0) + text(b"") + text(b"")
    keys = [b"td:{load-%d}%s" % (channel, end) for channel in channels for end in (b"m", b"h")]
    arguments = [part for channel in channels for part in (BODY, b"td:{load-%d}f" % channel, packed)]
    return order(b"EVALSHA", sha, b"%d" % len(keys), *keys, b"1", *arguments)


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


def answered(stream, calls, count):
    """Reads the answers to so many calls for so many publications: a line for each call, and two for each publication."""
    lines = 0
    while lines < calls + 2 * count:
        some = stream.recv(1 << 20)
        # What is refused is answered by an error, or by one in place of a position.
        if not some or b"-" == some[:1] or b"\r\nE" in some:
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
            script = b""
            for path in SCRIPTS:
                with open(path, "rb") as file:
                    script += file.read()
            stream.sendall(order(b"SCRIPT", b"LOAD", script))
            sha = stream.recv(1 << 10).split(b"\r\n")[1]
            blocks = [block(sha, first, progress, most) for first in range(0, CHANNELS, progress)]
            return counted(redis, stream, blocks, progress, seconds)
        finally:
            for stream in streams:
                stream.shutdown(socket.SHUT_RDWR)
            redis.stop()


def block(sha, first, progress, most):
    """What is in progress at once: the calls for so many publications."""
    channels = [(first + one) % CHANNELS for one in range(progress)]
    return b"".join(publications(sha, channels[at : at + BATCH], most) for at in range(0, progress, BATCH))


def counted(redis, stream, blocks, progress, seconds):
    calls = -(-progress // BATCH)
    for one in blocks:
        stream.sendall(one)
        answered(stream, calls, progress)
    before, began, count = cpu(redis.process.pid), time.monotonic(), 0
    while time.monotonic() < began + seconds:
        for one in blocks:
            stream.sendall(one)
            answered(stream, calls, progress)
        count += len(blocks) * progress
    took, used = time.monotonic() - began, cpu(redis.process.pid) - before
    return {"cpu": used / count * 1e6, "rate": count / took, "busy": used / took}
