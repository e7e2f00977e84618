"""The target of uploads, WebSockets and gRPC streams, and the client of the gRPC streams. Needs grpcio.

    python peer.py serve HTTP_PORT GRPC_PORT
    python peer.py call '{"port": 8443, "ca": "ca.pem", "cookie": "a=b", "streams": 8, "messages": 40, "pause": 0.1}'

`serve` answers an upload with its SHA-256, sends back what a WebSocket says, and answers gRPC streams, until it is killed. `/uploads` is how
many uploads have begun.
`call` has `streams` streams of each kind under way. It prints `begun` when each has had its first message, and, when all are over, a JSON
object: {kind of stream: [why each that is not whole is not]}.
"""

import concurrent.futures
import hashlib
import http.server
import json
import os
import sys
import threading
import time

import grpc

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from interruptions import frames  # noqa: E402

SERVICE = "interruptions.Streams"
CHUNK = 1 << 20
CALL_SECONDS_MAX = 600


class Http(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    uploads_begun = []  # of all threads: to append is atomic

    def do_PUT(self):
        self.uploads_begun.append(self.path)
        digest, left = hashlib.sha256(), int(self.headers["Content-Length"])
        while left:
            piece = self.rfile.read(min(CHUNK, left))
            if not piece:
                return
            digest.update(piece)
            left -= len(piece)
        self.answer(digest.hexdigest().encode())

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/uploads":
            return self.answer(b"%d" % len(self.uploads_begun))
        self.send_response_only(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", frames.accept(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        self.close_connection = True
        self.echo()

    def echo(self):
        opcode = None
        while opcode != frames.CLOSE:
            try:
                opcode, payload = frames.read(self.rfile)
            except EOFError:
                return
            self.wfile.write(frames.frame(opcode, payload, is_client=False))

    def log_message(self, *_):
        pass


class Streams(grpc.GenericRpcHandler):
    def service(self, details):
        kinds = {"Down": grpc.unary_stream_rpc_method_handler(down), "Both": grpc.stream_stream_rpc_method_handler(both)}
        return kinds.get(details.method.rsplit("/", 1)[1])


def down(request, _context):
    """As many messages as it is asked for, with a pause after each."""
    asked = json.loads(request)
    for number in range(asked["messages"]):
        yield b"%d" % number
        time.sleep(asked["pause"])


def both(messages, _context):
    yield from messages


def serve(http_port, grpc_port):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(max_workers=64))
    server.add_generic_rpc_handlers([Streams()])
    if server.add_insecure_port(f"127.0.0.1:{grpc_port}") != grpc_port:
        raise SystemExit(f"port {grpc_port} is taken")
    server.start()
    http.server.ThreadingHTTPServer(("127.0.0.1", http_port), Http).serve_forever()


class Call:
    """One stream, on a thread of its own."""

    def __init__(self, channel, kind, settings):
        self.kind, self.settings, self.has_begun = kind, settings, threading.Event()
        self.wrong = None
        metadata = [("cookie", settings["cookie"])]
        path = f"/{SERVICE}/{kind}"
        if kind == "Down":
            self.answers = channel.unary_stream(path)(json.dumps(settings).encode(), timeout=CALL_SECONDS_MAX, metadata=metadata)
        else:
            self.answers = channel.stream_stream(path)(self.messages(), timeout=CALL_SECONDS_MAX, metadata=metadata)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def messages(self):
        for number in range(self.settings["messages"]):
            yield b"%d" % number
            time.sleep(self.settings["pause"])

    def run(self):
        heard = []
        try:
            for answer in self.answers:
                heard.append(int(answer))
                self.has_begun.set()
            if heard != list(range(self.settings["messages"])):
                self.wrong = f"{len(heard)} messages of {self.settings['messages']}"
        except grpc.RpcError as error:
            self.wrong = f"{error.code().name} after {len(heard)} messages: {error.details()}"
        self.has_begun.set()


def call(settings):
    with open(settings["ca"], "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    options = [("grpc.ssl_target_name_override", "localhost"), ("grpc.default_authority", f"localhost:{settings['port']}")]
    with grpc.secure_channel(f"127.0.0.1:{settings['port']}", credentials, options) as channel:
        calls = [Call(channel, kind, settings) for kind in ("Down", "Both") for _ in range(settings["streams"])]
        for one in calls:
            one.has_begun.wait()
        print("begun", flush=True)
        for one in calls:
            one.thread.join()
    print(json.dumps({kind: [one.wrong for one in calls if one.kind == kind and one.wrong] for kind in ("Down", "Both")}))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(*map(int, sys.argv[2:]))
    else:
        call(json.loads(sys.argv[2]))
