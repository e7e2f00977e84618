"""An HTTP/2 server of the library h2, without TLS and with prior knowledge.

    python http2_target.py

It prints its port and serves until its standard input ends. Each request is answered with a JSON object that says what came, after
all of it has come, with a trailer `x-sum`. `/refused` is refused with REFUSED_STREAM, `/gone` is answered and followed by GOAWAY.
"""

import asyncio
import json
import sys

import h2.config
import h2.connection
import h2.events
from h2.errors import ErrorCodes


class Server(asyncio.Protocol):
    number = 0

    def connection_made(self, transport):
        Server.number += 1
        self.name = Server.number
        self.transport = transport
        self.http2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.http2.initiate_connection()
        self.requests = {}
        self.pending = {}
        self.flush()

    def flush(self):
        self.transport.write(self.http2.data_to_send())

    def data_received(self, data):
        for event in self.http2.receive_data(data):
            stream = getattr(event, "stream_id", None)
            match event:
                case h2.events.RequestReceived():
                    self.requests[stream] = {"head": event.headers, "bytes": 0, "trailers": []}
                case h2.events.DataReceived():
                    self.requests[stream]["bytes"] += len(event.data)
                    self.http2.acknowledge_received_data(event.flow_controlled_length, stream)
                case h2.events.TrailersReceived():
                    self.requests[stream]["trailers"] = event.headers
                case h2.events.StreamEnded():
                    self.answer(stream, self.requests.pop(stream))
                case h2.events.WindowUpdated():
                    for waiting in list(self.pending) if stream == 0 else [stream]:
                        self.send(waiting)
                case h2.events.StreamReset():
                    self.requests.pop(stream, None)
                    self.pending.pop(stream, None)
                case h2.events.ConnectionTerminated():
                    self.transport.close()
        self.flush()

    def answer(self, stream, request):
        path = dict(request["head"])[":path"]
        if path == "/refused":
            self.http2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
            return
        request["connection"] = self.name
        self.http2.send_headers(stream, [(":status", "200"), ("content-type", "application/json")])
        body = json.dumps(request).encode()
        if path.startswith("/large/"):
            body = b"x" * int(path.removeprefix("/large/"))
        self.pending[stream] = body
        self.send(stream)
        if path == "/gone":
            self.http2.close_connection(last_stream_id=stream)

    def send(self, stream):
        body = self.pending.get(stream)
        while body:
            room = min(self.http2.local_flow_control_window(stream), self.http2.max_outbound_frame_size)
            if room <= 0:
                self.pending[stream] = body
                return
            self.http2.send_data(stream, body[:room])
            body = body[room:]
        if self.pending.pop(stream, None) is not None:
            self.http2.send_headers(stream, [("x-sum", "1")], end_stream=True)


async def serve():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(serve())
