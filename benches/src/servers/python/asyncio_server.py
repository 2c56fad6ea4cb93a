"""asyncio's protocols, on its own loop or on uvloop: the echo of uvloop's examples/bench/echoserver.py.

Both loops set TCP_NODELAY and read up to 256 KiB at once. uvloop gathers the writes of one turn.

    asyncio_server.py asyncio|uvloop echo|broadcast HOST PORT
"""

import asyncio
import signal
import sys

BACKLOG = 4096


class Echo(asyncio.Protocol):
    """Stops reading from a peer that does not read."""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)

    def pause_writing(self):
        self.transport.pause_reading()

    def resume_writing(self):
        self.transport.resume_reading()


class Member(asyncio.Protocol):
    """Forwards all lines that one read completes at once."""

    transports = set()

    def connection_made(self, transport):
        self.transport = transport
        self.unfinished = b""
        self.transports.add(transport)

    def data_received(self, data):
        whole = data.rfind(b"\n") + 1
        if not whole:
            self.unfinished += data
            return
        lines = self.unfinished + data[:whole] if self.unfinished else data[:whole]
        self.unfinished = data[whole:]
        for transport in self.transports:
            if transport is not self.transport:
                transport.write(lines)

    def connection_lost(self, reason):
        self.transports.discard(self.transport)


async def main(work, host, port):
    protocol = {"echo": Echo, "broadcast": Member}[work]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, host, port, reuse_address=True, backlog=BACKLOG)
    host, port = server.sockets[0].getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    print(f"listening on {host}:{port}", flush=True)
    await server.serve_forever()


# Ctrl-C ends it immediately, without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)
loop, work, host, port = sys.argv[1:]
if loop == "uvloop":
    import uvloop

    run = uvloop.run
else:
    run = asyncio.run
run(main(work, host, int(port)))
