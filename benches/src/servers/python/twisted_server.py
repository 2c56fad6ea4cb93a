"""Twisted: the echo of its own docs/core/examples/simpleserv.py, the broadcast as its guide's chat.

By lines, it uses LineOnlyReceiver, which its documentation calls the faster of the two receivers. By chunks,
all lines that one read completes are forwarded at once.

    twisted_server.py lines|chunks echo|broadcast HOST PORT
"""

import sys

from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import reactor  # noqa: E402 - the reactor is chosen first
from twisted.internet.interfaces import IHalfCloseableProtocol  # noqa: E402
from twisted.internet.protocol import Factory, Protocol  # noqa: E402
from twisted.protocols.basic import LineOnlyReceiver  # noqa: E402
from zope.interface import implementer  # noqa: E402

BACKLOG = 4096


@implementer(IHalfCloseableProtocol)
class Echo(Protocol):
    """Stops reading from a peer that does not read: the transport is its own producer."""

    def connectionMade(self):
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self.transport, True)

    def dataReceived(self, data):
        self.transport.write(data)

    def readConnectionLost(self):
        # Without this, queued data would be discarded when the peer ends its side.
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def writeConnectionLost(self):
        pass


class Member(LineOnlyReceiver):
    delimiter = b"\n"
    MAX_LENGTH = sys.maxsize
    transports = set()

    def connectionMade(self):
        self.transport.setTcpNoDelay(True)
        self.transports.add(self.transport)

    def lineReceived(self, line):
        line += b"\n"
        for transport in self.transports:
            if transport is not self.transport:
                transport.write(line)

    def connectionLost(self, reason):
        self.transports.discard(self.transport)


class Chunks(Protocol):
    transports = set()

    def connectionMade(self):
        self.transport.setTcpNoDelay(True)
        self.unfinished = b""
        self.transports.add(self.transport)

    def dataReceived(self, data):
        whole, end, rest = data.rpartition(b"\n")
        if not end:
            self.unfinished += rest
            return
        chunk = self.unfinished + whole + end
        self.unfinished = rest
        for transport in self.transports:
            if transport is not self.transport:
                transport.write(chunk)

    def connectionLost(self, reason):
        self.transports.discard(self.transport)


by, work, host, port = sys.argv[1:]
factory = Factory.forProtocol({"echo": Echo, "broadcast": {"lines": Member, "chunks": Chunks}[by]}[work])
factory.noisy = False
address = reactor.listenTCP(int(port), factory, backlog=BACKLOG, interface=host).getHost()
host = f"[{address.host}]" if ":" in address.host else address.host
print(f"listening on {host}:{address.port}", flush=True)
reactor.run()
