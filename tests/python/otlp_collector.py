"""A collector of traces. Reads OTLP with the official messages of OpenTelemetry, and serves gRPC with its official stub. Prints the port, then a
JSON line for each call: what the client sent, and what it was answered.

Arguments: grpc or http, then the answers to the first calls; later ones are ok. An answer is ok, partial, a status of HTTP or a code of gRPC
(`503`, `UNAVAILABLE`), or either with a time to wait (`429:0`, `RESOURCE_EXHAUSTED:0`). With `--tls CERTIFICATE KEY` before, by TLS. Ends with
its standard input.
"""

import gzip
import http.server
import json
import os
import ssl
import sys
import threading
from concurrent import futures

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as stub
from opentelemetry.proto.trace.v1 import trace_pb2

LOCK = threading.Lock()


def plain(value):
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(one) for one in value.array_value.values]
    return getattr(value, kind)


def attributes(pairs):
    found = {pair.key: plain(pair.value) for pair in pairs}
    assert len(found) == len(pairs), f"a key is there twice: {pairs}"
    return found


def span(one):
    assert len(one.trace_id) == 16 and len(one.span_id) == 8, one
    return {
        "trace": one.trace_id.hex(),
        "span": one.span_id.hex(),
        "parent": one.parent_span_id.hex(),
        "name": one.name,
        "kind": trace_pb2.Span.SpanKind.Name(one.kind).removeprefix("SPAN_KIND_"),
        "start": one.start_time_unix_nano,
        "end": one.end_time_unix_nano,
        "flags": one.flags,
        "is_error": one.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        "attributes": attributes(one.attributes),
        "links": [[link.trace_id.hex(), link.span_id.hex()] for link in one.links],
    }


def tell(request, headers, answer):
    (of_resource,) = request.resource_spans
    (of_scope,) = of_resource.scope_spans
    # Nothing that the official messages do not know.
    assert request == service.ExportTraceServiceRequest.FromString(request.SerializeToString())
    line = {
        "headers": headers,
        "answer": answer,
        "resource": attributes(of_resource.resource.attributes),
        "scope": [of_scope.scope.name, of_scope.scope.version],
        "schema": of_scope.schema_url,
        "spans": [span(one) for one in of_scope.spans],
    }
    with LOCK:
        print(json.dumps(line), flush=True)


class Answers:
    def __init__(self, answers):
        self.left = list(answers)

    def next(self):
        with LOCK:
            return self.left.pop(0) if self.left else "ok"


def response(answer):
    said = service.ExportTraceServiceResponse()
    if answer == "partial":
        said.partial_success.rejected_spans = 1
        said.partial_success.error_message = "too old"
    return said


class Traces(stub.TraceServiceServicer):
    def __init__(self, answers):
        self.answers = answers

    def Export(self, request, context):
        answer = self.answers.next()
        headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        tell(request, headers, answer)
        if answer in ("ok", "partial"):
            return response(answer)
        code, _, wait = answer.partition(":")
        status = status_pb2.Status(code=code_pb2.Code.Value(code), message="as scripted")
        if wait:
            detail = any_pb2.Any()
            detail.Pack(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=int(wait))))
            status.details.append(detail)
        context.abort_with_status(rpc_status.to_status(status))


def serve_grpc(answers, tls):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
    stub.add_TraceServiceServicer_to_server(Traces(answers), server)
    if tls:
        certificate, key = (open(path, "rb").read() for path in tls)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


def serve_http(answers, tls):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers["content-encoding"] == "gzip":
                body = gzip.decompress(body)
            request = service.ExportTraceServiceRequest.FromString(body)
            answer = answers.next()
            headers = {key.lower(): value for key, value in self.headers.items()} | {":path": self.path}
            tell(request, headers, answer)
            is_taken = answer in ("ok", "partial")
            status, _, wait = ("200", "", "") if is_taken else answer.partition(":")
            said = response(answer).SerializeToString() if is_taken else b""
            self.send_response(int(status))
            if wait:
                self.send_header("retry-after", wait)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def end_with_input():
    sys.stdin.read()
    os._exit(0)


def main(arguments):
    threading.Thread(target=end_with_input, daemon=True).start()
    tls = None
    if arguments[0] == "--tls":
        tls, arguments = arguments[1:3], arguments[3:]
    {"grpc": serve_grpc, "http": serve_http}[arguments[0]](Answers(arguments[1:]), tls)


main(sys.argv[1:])
