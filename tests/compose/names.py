"""The names of containers, answered in each one's network namespace at 127.0.0.11:53 as a container engine does."""

import ctypes
import os
import selectors
import socket
import struct
import threading
from collections.abc import Callable

CLONE_NEWNET = 0x40000000
TYPE_A = 1
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3
# What Docker says of its names.
TTL_SECONDS = 600
QUERY_BYTES_MAX = 512

# Asked with the container and the name: its addresses as that container sees them.
Lookup = Callable[[str, str], list[str]]


def within(namespace: str, action: Callable[[], object]) -> object:
    """What the action returns when a thread in this network namespace carries it out."""
    results: list[object] = []

    def enter() -> None:
        file = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(file, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns to {namespace}")
            results.append(action())
        except OSError as error:
            results.append(error)
        finally:
            os.close(file)

    # A namespace is a thread's own: this one ends with what it did there.
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if isinstance(results[0], OSError):
        raise results[0]
    return results[0]


def question(query: bytes) -> tuple[str, int, int]:
    """The name, its type, and where the question ends."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii"))
        at += 1 + query[at]
    return ".".join(labels).lower(), int.from_bytes(query[at + 1 : at + 3]), at + 5


def answer(query: bytes, addresses: list[str], status_of_none: int) -> bytes:
    """The answer to a query for a name that has these addresses; a name that has none does not exist."""
    _, kind, end = question(query)
    records = [socket.inet_aton(address) for address in addresses] if kind == TYPE_A else []
    status = NO_ERROR if addresses else status_of_none
    # An answer, recursion available.
    head = query[:2] + struct.pack("!HHHHH", 0x8180 | status, 1, len(records), 0, 0)
    body = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", TYPE_A, 1, TTL_SECONDS, 4) + record for record in records)
    return head + query[12:end] + body


class Names:
    """Answers in all namespaces, by one thread."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.sockets = selectors.DefaultSelector()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def serve(self, namespace: str, *, is_isolated: bool) -> None:
        """A container that is in internal networks alone has nobody whom it could ask: names that do not exist fail there."""

        def bound() -> socket.socket:
            found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            found.bind(("127.0.0.11", 53))
            return found

        status_of_none = SERVER_FAILURE if is_isolated else NO_SUCH_NAME
        self.sockets.register(within(namespace, bound), selectors.EVENT_READ, (namespace, status_of_none))

    def run(self) -> None:
        while True:
            for key, _ in self.sockets.select():
                namespace, status_of_none = key.data
                query, peer = key.fileobj.recvfrom(QUERY_BYTES_MAX)
                try:
                    name = question(query)[0]
                    key.fileobj.sendto(answer(query, self.lookup(namespace, name), status_of_none), peer)
                except (IndexError, UnicodeDecodeError, OSError):
                    # No query, or nobody is there any more.
                    continue
