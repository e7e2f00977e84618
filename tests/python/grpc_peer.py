"""A gRPC server and a gRPC client, both of grpcio.

    python grpc_peer.py serve
    python grpc_peer.py call '{"address": "127.0.0.1:8443", "host": "app.test", "ca": "ca.pem", "cookie": "a=b"}'

`serve` prints its port and serves until its standard input ends. `call` makes calls of every kind and prints one JSON object: what
each of them gave.
"""

import json
import sys
import threading
from concurrent import futures

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

LARGE = 10 * 1024 * 1024
OPTIONS = [
    ("grpc.max_receive_message_length", 2 * LARGE),
    ("grpc.max_send_message_length", 2 * LARGE),
]


class Echo(grpc.GenericRpcHandler):
    """Says back what it is told. Messages are bytes."""

    def __init__(self):
        self.cancelled = threading.Semaphore(0)

    def service(self, details):
        name = details.method.rsplit("/", 1)[1]
        kinds = {
            "Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "Fails": grpc.unary_unary_rpc_method_handler(self.fails),
            "Waits": grpc.unary_stream_rpc_method_handler(self.waits),
            "WasCancelled": grpc.unary_unary_rpc_method_handler(self.was_cancelled),
            "Down": grpc.unary_stream_rpc_method_handler(self.down),
            "Up": grpc.stream_unary_rpc_method_handler(self.up),
            "Both": grpc.stream_stream_rpc_method_handler(self.both),
        }
        return kinds.get(name)

    def unary(self, message, context):
        seen = dict(context.invocation_metadata())
        context.set_trailing_metadata([("x-seen", seen.get("x-told", "")), ("x-identity", seen.get("x-amzn-oidc-identity", ""))])
        return message

    def fails(self, message, context):
        detail = any_pb2.Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason="NO_TEA", domain="kitchen"))
        status = status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message="no tea: ü", details=[detail])
        context.abort_with_status(rpc_status.to_status(status))

    def waits(self, message, context):
        context.add_callback(self.cancelled.release)
        yield b"waiting"
        while context.is_active():
            self.cancelled.acquire(timeout=1)
            self.cancelled.release()

    def was_cancelled(self, message, context):
        return b"yes" if self.cancelled.acquire(timeout=30) else b"no"

    def down(self, message, context):
        for number in range(int(message)):
            yield b"%d" % number

    def up(self, messages, context):
        return b",".join(messages)

    def both(self, messages, context):
        for message in messages:
            yield b"<" + message + b">"


def serve():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=OPTIONS)
    server.add_generic_rpc_handlers([Echo()])
    reflection.enable_server_reflection(["test.Echo", reflection.SERVICE_NAME], server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(None)


class Calls:
    def __init__(self, channel, cookie):
        self.channel = channel
        self.metadata = [("cookie", cookie)] if cookie else []

    def of(self, kind, name, service="test.Echo"):
        return getattr(self.channel, kind)(f"/{service}/{name}")

    def code(self, name, message=b"x", service="test.Echo", metadata=()):
        try:
            self.of("unary_unary", name, service)(message, timeout=60, metadata=[*self.metadata, *metadata])
        except grpc.RpcError as error:
            return [error.code().name, error.details().split(":")[0]]
        return ["OK", ""]

    def unary(self):
        reply, call = self.of("unary_unary", "Unary").with_call(b"hello", timeout=60, metadata=[("x-told", "told")])
        return [reply.decode(), dict(call.trailing_metadata())["x-seen"]]

    def signed_in(self):
        metadata = [*self.metadata, ("x-amzn-oidc-identity", "somebody else")]
        _, call = self.of("unary_unary", "Unary", "private.Echo").with_call(b"x", timeout=60, metadata=metadata)
        return dict(call.trailing_metadata())["x-identity"]

    def large(self):
        message = bytes(LARGE)
        return self.of("unary_unary", "Unary")(message, timeout=60) == message

    def fails(self):
        try:
            self.of("unary_unary", "Fails")(b"", timeout=60)
        except grpc.RpcError as error:
            status = rpc_status.from_call(error)
            info = error_details_pb2.ErrorInfo()
            status.details[0].Unpack(info)
            return [error.code().name, error.details(), info.reason]

    def down(self):
        return [reply.decode() for reply in self.of("unary_stream", "Down")(b"5", timeout=60)]

    def up(self):
        return self.of("stream_unary", "Up")(iter([b"a", b"b", b"c"]), timeout=60).decode()

    def both(self):
        """Each message is sent after the answer to the one before it."""
        answered = threading.Semaphore(1)

        def messages():
            for letter in b"abc":
                answered.acquire()
                yield bytes([letter])

        said = []
        for reply in self.of("stream_stream", "Both")(messages(), timeout=60):
            said.append(reply.decode())
            answered.release()
        return said

    def cancels(self):
        call = self.of("unary_stream", "Waits")(b"", timeout=60)
        first = next(call)
        call.cancel()
        return [first.decode(), self.of("unary_unary", "WasCancelled")(b"", timeout=60).decode()]

    def deadline(self):
        call = self.of("unary_stream", "Waits")(b"", timeout=1)
        try:
            return [reply.decode() for reply in call]
        except grpc.RpcError as error:
            return error.code().name

    def reflects(self):
        stub = reflection_pb2_grpc.ServerReflectionStub(self.channel)
        asked = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = next(stub.ServerReflectionInfo(iter([asked]), timeout=60))
        return [service.name for service in answer.list_services_response.service]


def call(settings):
    with open(settings["ca"], "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    options = [*OPTIONS, ("grpc.ssl_target_name_override", settings["host"]), ("grpc.default_authority", settings["host"])]
    with grpc.secure_channel(settings["address"], credentials, options) as channel:
        calls = Calls(channel, settings.get("cookie"))
        kinds = ("unary", "large", "fails", "down", "up", "both", "cancels", "deadline", "reflects")
        results = {kind: getattr(calls, kind)() for kind in kinds}
        results["refused"] = {
            "nobody": Calls(channel, None).code("Unary", service="private.Echo"),
            "not_allowed": calls.code("Unary", service="admins.Echo"),
            "down": calls.code("Unary", service="down.Echo"),
            "http1": calls.code("Unary", service="old.Echo"),
        }
        results["signed_in"] = calls.signed_in()
    print(json.dumps(results))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        call(json.loads(sys.argv[2]))
