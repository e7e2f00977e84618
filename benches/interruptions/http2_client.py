"""A client that asks for the same over HTTP/2 all the time, and does after a GOAWAY what RFC 9113 §6.8 says.

    python http2_client.py '{"port": 8443, "ca": "ca.pem", "cookie": "a=b", "connections": 32, "streams": 4, "body_bytes": 1024}'

It asks until its standard input ends. Then it waits for the answers that are under way, and prints one JSON object:

    answered        requests with status 200 and a whole body
    lost            {reason: requests that were not}
    sent_again      requests that the server says it has not processed: above the last stream of a GOAWAY, or refused. They are asked
                    again on another connection, and count as answered or lost then
    goaways         connections that the server has ended in order
    connections     connections made
"""

import asyncio
import collections
import json
import os
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness import http2  # noqa: E402

REFUSED_STREAM = 7
WINDOW_STEP = 1 << 20
LAST_ANSWERS_SECONDS = 30


class Client:
    """All connections, and what they have counted."""

    def __init__(self, settings):
        self.settings = settings
        self.context = ssl.create_default_context(cafile=settings["ca"])
        self.context.set_alpn_protocols(["h2"])
        fields = http2.GET_PATH + http2.literal(http2.AUTHORITY, f"localhost:{settings['port']}") + http2.SCHEME_HTTPS
        self.request = fields + http2.literal(http2.PATH, "/") + http2.literal(http2.COOKIE, settings["cookie"])
        self.answered = self.sent_again = self.goaways = self.connections = self.under_way = 0
        self.lost, self.is_stopping, self.is_quiet = collections.Counter(), False, asyncio.Event()
        self.tasks = set()

    async def run(self):
        for _ in range(self.settings["connections"]):
            self.connect(self.settings["streams"])
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        self.is_stopping = True
        self.ended()
        try:
            await asyncio.wait_for(self.is_quiet.wait(), LAST_ANSWERS_SECONDS)
        except TimeoutError:
            self.lost["not answered in time"] += self.under_way
        return {"answered": self.answered, "lost": self.lost, "sent_again": self.sent_again, "goaways": self.goaways,
                "connections": self.connections}

    def connect(self, askers):
        """A new connection on which so many ask, each one request after the other."""
        connection = Connection(self, askers)
        task = asyncio.get_running_loop().create_task(self.connected(connection))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return connection

    async def connected(self, connection):
        self.connections += 1
        self.under_way += 1  # so that the end waits for what is to be asked here
        try:
            await asyncio.get_running_loop().create_connection(
                lambda: connection, "127.0.0.1", self.settings["port"], ssl=self.context, server_hostname="localhost")
        except OSError as error:
            self.lost[f"no connection: {error}"] += max(1, connection.askers)
            await asyncio.sleep(0.1)
            if not self.is_stopping:
                connection.successor = self.connect(connection.askers)
        self.under_way -= 1
        self.ended()

    def ended(self):
        if self.is_stopping and self.under_way == 0:
            self.is_quiet.set()


class Connection(asyncio.Protocol):
    """`askers` ask on it: when it ends, they go to `successor`."""

    def __init__(self, client, askers):
        self.client, self.askers = client, askers
        self.transport = self.successor = None
        self.received, self.unseen = b"", 0
        self.streams, self.next_stream = {}, 1  # {stream: bytes of the body so far}

    def connection_made(self, transport):
        self.transport = transport
        settings = b"".join(name.to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in http2.CLIENT_SETTINGS)
        window = http2.frame(http2.WINDOW_UPDATE, 0, 0, http2.CLIENT_WINDOW.to_bytes(4, "big"))
        transport.write(http2.PREFACE + http2.frame(http2.SETTINGS, 0, 0, settings) + window)
        for _ in range(self.askers):
            self.ask(is_again=True)

    def ask(self, is_again=False):
        """The next request of one asker, here or at the successor. `is_again`: also when the client stops."""
        if self.client.is_stopping and not is_again:
            return
        if self.successor:
            if self.successor.transport:
                self.successor.ask(is_again)
            else:
                self.successor.askers += 1
            return
        self.transport.write(http2.frame(http2.HEADERS, http2.END_STREAM | http2.END_HEADERS, self.next_stream, self.client.request))
        self.streams[self.next_stream] = 0
        self.next_stream += 2
        self.client.under_way += 1

    def data_received(self, data):
        self.received += data
        at = 0
        while len(self.received) - at >= 9:
            end = at + 9 + int.from_bytes(self.received[at:at + 3], "big")
            if len(self.received) < end:
                break
            kind, flags = self.received[at + 3], self.received[at + 4]
            self.heard(kind, flags, int.from_bytes(self.received[at + 5:at + 9], "big"), self.received[at + 9:end])
            at = end
        self.received = self.received[at:]

    def heard(self, kind, flags, stream, payload):
        if kind == http2.SETTINGS and not flags & http2.ACK:
            self.transport.write(http2.frame(http2.SETTINGS, http2.ACK, 0))
        elif kind == http2.PING and not flags & http2.ACK:
            self.transport.write(http2.frame(http2.PING, http2.ACK, 0, payload))
        elif kind == http2.GOAWAY:
            self.told_to_leave(int.from_bytes(payload[:4], "big"), int.from_bytes(payload[4:8], "big"))
        elif kind == http2.RST_STREAM and stream in self.streams:
            error = int.from_bytes(payload, "big")
            self.over(stream, None if error == REFUSED_STREAM else f"reset with error {error}")
        elif kind == http2.HEADERS and stream in self.streams:
            if http2.without_size_updates(payload)[:1] != bytes([http2.STATUS_200]):
                self.over(stream, "another status than 200")
        elif kind == http2.DATA:
            self.body(stream, len(payload), len(payload) - (payload[0] + 1 if flags & http2.PADDED else 0))
        if kind in (http2.DATA, http2.HEADERS) and flags & http2.END_STREAM and stream in self.streams:
            body = self.streams[stream]
            self.over(stream, "" if body == self.client.settings["body_bytes"] else f"{body} bytes")

    def body(self, stream, counted, length):
        self.unseen += counted
        if self.unseen >= WINDOW_STEP:
            self.transport.write(http2.frame(http2.WINDOW_UPDATE, 0, 0, self.unseen.to_bytes(4, "big")))
            self.unseen = 0
        if stream in self.streams:
            self.streams[stream] += length

    def over(self, stream, why):
        """A request has ended: answered if `why` is empty, not processed if it is None, else lost for that reason."""
        del self.streams[stream]
        if why is None:
            self.client.sent_again += 1
        elif why:
            self.client.lost[why] += 1
        else:
            self.client.answered += 1
        self.ask(is_again=why is None)
        self.client.under_way -= 1
        self.client.ended()
        if self.successor and not self.streams:
            self.transport.close()

    def told_to_leave(self, last_stream, error):
        if error:
            self.client.lost[f"GOAWAY with error {error}"] += 1
        if not self.successor:
            self.client.goaways += 1
            self.successor = self.client.connect(0)
        for stream in [stream for stream in self.streams if stream > last_stream]:
            self.over(stream, None)

    def connection_lost(self, error):
        if not self.successor and not self.client.is_stopping:
            self.successor = self.client.connect(0)
        for stream in list(self.streams):
            self.over(stream, f"closed before the answer was whole: {error}")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(Client(json.loads(sys.argv[1])).run())))
