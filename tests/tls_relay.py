"""A relay for clients that speak no TLS: they come in the clear, and go on to a server over TLS, whose certificate is checked.

What they send leaves in records of changing sizes, so that a record ends anywhere in a frame, and a frame anywhere in a record.
"""

import asyncio
import itertools
import ssl
import threading

# Bytes of one record after the other, over and over: less than a frame's header, than its mask, than a frame, and as much as fits.
RECORDS = (1, 3, 2, 61, 1, 997, 16_384, 5)
# Of what is long, only the beginning is cut so fine: 16 MiB would be a million records.
CUT_BYTES = 64 * 1024
CHUNK = 256 * 1024


class Relay:
    """Listens on a loopback port of its own until the end."""

    def __init__(self, server, authority):
        self.server, self.context = server.rsplit(":", 1), ssl.create_default_context(cafile=authority)
        self.loop, ready = asyncio.new_event_loop(), threading.Event()
        self.connections = 0

        async def listen():
            listening = await asyncio.start_server(self._relay, "127.0.0.1", 0)
            self.address = "127.0.0.1:{}".format(listening.sockets[0].getsockname()[1])
            ready.set()

        def run():
            asyncio.set_event_loop(self.loop)
            self.loop.create_task(listen())
            self.loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        if not ready.wait(30):
            raise RuntimeError("the relay does not listen")

    async def _relay(self, near, to_near):
        try:
            far, to_far = await asyncio.open_connection(*self.server, ssl=self.context, server_hostname="localhost")
            self.connections += 1
        except OSError as error:
            print(f"no connection over TLS: {error}")
            to_near.close()
            return
        forth = asyncio.ensure_future(self._forth(near, to_far))
        back = asyncio.ensure_future(self._back(far, to_near))
        # The end of either side is that of both, after what came before it.
        await asyncio.wait([forth, back], return_when=asyncio.FIRST_COMPLETED)
        for writer in (to_near, to_far):
            writer.close()
        for each in (forth, back):
            each.cancel()
        await asyncio.gather(forth, back, return_exceptions=True)

    async def _forth(self, near, to_far):
        sizes, sent = itertools.cycle(RECORDS), 0
        while chunk := await near.read(CHUNK):
            place = 0
            while place < len(chunk):
                size = next(sizes) if sent < CUT_BYTES else CHUNK
                # Each write is a record of its own, or several full ones.
                to_far.write(chunk[place : place + size])
                place, sent = place + size, sent + size
            await to_far.drain()

    async def _back(self, far, to_near):
        while chunk := await far.read(CHUNK):
            to_near.write(chunk)
            await to_near.drain()

    def check(self, cases):
        """A sentence, and whether it holds: nothing went another way."""
        return f"each of {cases} cases went over TLS (found {self.connections})", self.connections >= cases
