#!/usr/bin/env python3
"""Traces of Vestibule at a real OpenTelemetry Collector, over gRPC and HTTP, with and without TLS and gzip.

    cargo build && tests/peers/otel-collector.py [FOLDER]

Builds the collector from its Go modules in FOLDER (default: target/otel-collector): the receiver of OTLP, and the exporter that writes files. That
takes some minutes the first time. Needs Go 1.26 and openssl. Exit status 0: every check held. Everything listens on loopback and ends with
the script.
"""

import http.client
import http.server
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "target/debug/vestibule"
VERSION = "v0.161.0"
PROGRAM = """// An OpenTelemetry Collector: OTLP in, a file of JSON lines out.
package main

import (
	"log"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"
)

func factories() (otelcol.Factories, error) {
	receivers, err := otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory())
	if err != nil {
		return otelcol.Factories{}, err
	}
	exporters, err := otelcol.MakeFactoryMap[exporter.Factory](fileexporter.NewFactory())
	return otelcol.Factories{Receivers: receivers, Exporters: exporters, Telemetry: otelconftelemetry.NewFactory()}, err
}

func main() {
	files := confmap.ResolverSettings{DefaultScheme: "file", ProviderFactories: []confmap.ProviderFactory{fileprovider.NewFactory()}}
	settings := otelcol.CollectorSettings{
		BuildInfo:              component.BuildInfo{Command: "collector", Version: "test"},
		Factories:              factories,
		ConfigProviderSettings: otelcol.ConfigProviderSettings{ResolverSettings: files},
	}
	if err := otelcol.NewCommand(settings).Execute(); err != nil {
		log.Fatal(err)
	}
}
"""


def build(folder):
    program = folder / "collector"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text("module vestibule.test/collector\n\ngo 1.26.0\n")
    (folder / "main.go").write_text(PROGRAM)
    modules = ["go.opentelemetry.io/collector/otelcol", "go.opentelemetry.io/collector/receiver/otlpreceiver",
               "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter"]
    for command in [["get", *(f"{module}@{VERSION}" for module in modules)], ["mod", "tidy"], ["build", "-trimpath", "-o", "collector", "."]]:
        subprocess.run(["go", *command], cwd=folder, check=True)
    return program


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port, process, log):
    def listens():
        with socket.socket() as probe:
            return process.poll() is not None or probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens, f"port {port}")
    if process.poll() is not None:
        raise SystemExit(f"{process.args[0]} ended with {process.returncode}: {log.read_text()}")


def wait_until(holds, what):
    deadline = time.monotonic() + 60
    while not (found := holds()):
        if time.monotonic() > deadline:
            raise SystemExit(f"not in time: {what}")
        time.sleep(0.05)
    return found


class Application(http.server.BaseHTTPRequestHandler):
    parents = []

    def do_GET(self):
        self.parents.append(self.headers["traceparent"])
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def certificates(folder):
    def run(*command):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run("openssl", "req", "-x509", *curve, "-days", "2", "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=peers")
    run("openssl", "req", *curve, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost")
    (folder / "extensions").write_text("subjectAltName=DNS:localhost\n")
    run("openssl", "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-days", "2", "-CAcreateserial",
        "-extfile", "extensions", "-out", "cert.pem")


def spans(path):
    """What the collector has written: each span with its resource."""
    found = []
    for line in path.read_text().splitlines() if path.exists() else []:
        for resource in json.loads(line)["resourceSpans"]:
            name = next(a["value"]["stringValue"] for a in resource["resource"]["attributes"] if a["key"] == "service.name")
            found += [(name, span) for scope in resource["scopeSpans"] for span in scope["spans"]]
    return found


def check(collector, folder, protocol, is_tls, compression, application):
    place = folder / f"{protocol.replace('/', '-')}-{is_tls}-{compression}"
    place.mkdir()
    ports = {"grpc": free_port(), "http/protobuf": free_port()}
    tls = f", tls: {{ cert_file: {folder}/cert.pem, key_file: {folder}/key.pem }}" if is_tls else ""
    (place / "collector.yaml").write_text(f"""
receivers:
  otlp:
    protocols:
      grpc: {{ endpoint: 'localhost:{ports["grpc"]}'{tls} }}
      http: {{ endpoint: 'localhost:{ports["http/protobuf"]}'{tls} }}
exporters: {{ file: {{ path: {place}/spans.json, flush_interval: 100ms }} }}
service:
  telemetry: {{ metrics: {{ level: none }} }}
  pipelines: {{ traces: {{ receivers: [otlp], exporters: [file] }} }}
""")
    door, admin = free_port(), free_port()
    (place / "vestibule.yaml").write_text(f"""
listeners:
  - name: public
    address: 127.0.0.1:{door}
    protocol: http
    default_actions: [{{ type: forward, target_group: app }}]
target_groups: {{ app: {{ targets: ['127.0.0.1:{application.server_port}'] }} }}
admin: {{ address: 127.0.0.1:{admin} }}
traces:
  otlp:
    endpoint: {"https" if is_tls else "http"}://localhost:{ports[protocol]}
    protocol: {protocol}
    compression: {compression}
    {"ca_file: ../ca.pem" if is_tls else ""}
  sampling: {{ ratio: 1 }}
  service_name: door
shutdown: {{ delay: 0s }}
""")
    Application.parents.clear()
    processes = []
    try:
        with (place / "collector.log").open("w") as log:
            processes.append(subprocess.Popen([collector, "--config", f"file:{place}/collector.yaml"], stderr=log, stdout=log))
        wait_for(ports[protocol], processes[0], place / "collector.log")
        with (place / "vestibule.log").open("w") as log:
            processes.append(subprocess.Popen([BINARY, "serve", "--config", place / "vestibule.yaml"], stderr=log, stdout=subprocess.DEVNULL))
        wait_for(door, processes[1], place / "vestibule.log")
        client = http.client.HTTPConnection("127.0.0.1", door)
        for number in range(600):
            client.request("GET", f"/page/{number}?token=secret", headers={"host": "app.test"})
            response = client.getresponse()
            assert response.read() == b"" and response.status == 200, response.status
        processes[1].terminate()
        assert processes[1].wait() == 0, (place / "vestibule.log").read_text()
        found = wait_until(lambda: len(all_spans := spans(place / "spans.json")) >= 1200 and all_spans, "1200 spans")
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert len(found) == 1200 and {name for name, _ in found} == {"door"}, len(found)
    assert "secret" not in json.dumps(found)
    servers = {span["spanId"]: span for _, span in found if span["kind"] == 2}
    attempts = {span["spanId"]: span for _, span in found if span["kind"] == 3}
    assert len(servers) == len(attempts) == 600
    for attempt in attempts.values():
        server = servers[attempt["parentSpanId"]]
        assert server["traceId"] == attempt["traceId"] and "parentSpanId" not in server or not server["parentSpanId"], server
    told = {f"00-{span['traceId']}-{span['spanId']}-01" for span in attempts.values()}
    assert told == set(Application.parents), "each target was told of its span"
    values = {a["key"]: a["value"] for a in next(iter(servers.values()))["attributes"]}
    assert values["http.response.status_code"] == {"intValue": "200"} and values["vestibule.rule"] == {"stringValue": "default"}, values
    print(f"{protocol}, {'TLS' if is_tls else 'plain'}, compression {compression}: 1200 spans arrived", flush=True)


def main():
    collector = build(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/otel-collector").resolve())
    application = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    application.RequestHandlerClass.protocol_version = "HTTP/1.1"
    threading.Thread(target=application.serve_forever, daemon=True).start()
    folder = Path(tempfile.mkdtemp(prefix="vestibule-collector-"))
    try:
        certificates(folder)
        for protocol in ["grpc", "http/protobuf"]:
            for is_tls, compression in [(False, "none"), (False, "gzip"), (True, "gzip")]:
                check(collector, folder, protocol, is_tls, compression, application)
        print("OpenTelemetry Collector: every check held")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
