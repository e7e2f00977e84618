"""nginx: the target behind every proxy, and the plain proxy that the others are measured against."""

import os
import re
import urllib.request

from harness.process import LOOPBACK, Process, free_port, write

KIB_BODY = "x" * 1023 + "\n"
MIB_BYTES = 1 << 20

MAIN = """
daemon off;
{user}
worker_processes {workers};
pid {directory}/{name}.pid;
error_log stderr error;
events {{ worker_connections 16384; }}
http {{
    client_body_temp_path {directory}/{name}-body;
    proxy_temp_path {directory}/{name}-proxy;
    fastcgi_temp_path {directory}/{name}-fastcgi;
    uwsgi_temp_path {directory}/{name}-uwsgi;
    scgi_temp_path {directory}/{name}-scgi;
    access_log {access_log};
    sendfile on;
    tcp_nopush on;
    keepalive_timeout 600s;
    keepalive_requests 100000000;
    large_client_header_buffers 8 32k;
    {content}
}}
"""

BACKEND = """
    server {{
        {listen}
        default_type text/plain;
        location = /status {{ stub_status; }}
        location = /who {{ return 200 "$http_x_amzn_oidc_identity"; }}
        location = /token {{ return 200 "$http_x_amzn_oidc_accesstoken"; }}
        location = /mib {{ root {directory}; }}
        location = /large {{ root {directory}; limit_rate {large_rate}; }}
        location / {{ return 200 "{body}"; }}
    }}
"""

PROXY = """
    upstream target {{
        server 127.0.0.1:{target};
        keepalive 128;
        keepalive_requests 100000000;
        keepalive_timeout 300s;
    }}
    server {{
        listen 127.0.0.1:{port} ssl http2 backlog=4096;
        server_name localhost;
        ssl_certificate {certificate.chain};
        ssl_certificate_key {certificate.key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:tls:10m;
        http2_max_requests 100000000;
        location = /healthz {{ default_type text/plain; return 200 "ok"; }}
        location / {{
            proxy_pass http://target;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Port $server_port;
        }}
    }}
"""


def _process(directory, name, workers, port, access_log, content):
    user = "user root;" if os.getuid() == 0 else ""
    path = write(directory, f"{name}.conf", MAIN.format(
        user=user, workers=workers, directory=directory, name=name, access_log=access_log, content=content))
    return Process(["nginx", "-p", directory, "-c", path, "-e", "stderr"], directory, name, port)


def backend(directory, addresses=(LOOPBACK,), *, name="backend", http2=False, large_rate=0):
    """The target, not started: one worker, without TLS, HTTP/1.1 or HTTP/2 with prior knowledge. `/` is 1 KiB, `/mib` 1 MiB, `/who` the user
    that it was told of, `/token` the access token, `/status` what `served` reads. `/large` is a file of that name, sent at `large_rate` bytes per second (0: as fast as
    it can). It listens on one port of every address, the first of which is 127.0.0.1."""
    with open(os.path.join(directory, "mib"), "wb") as file:
        file.write(b"x" * MIB_BYTES)
    port = free_port()
    protocol = "http2 " if http2 else ""
    listen = "\n        ".join(f"listen {address}:{port} {protocol}backlog=4096;" for address in addresses)
    content = BACKEND.format(listen=listen, directory=directory, body=KIB_BODY, large_rate=large_rate)
    return _process(directory, name, 1, port, "off", content)


def served(target):
    """Connections accepted and requests read by the target, since its start."""
    with urllib.request.urlopen(f"http://{LOOPBACK}:{target.port}/status", timeout=30) as answer:
        connections, _, requests = re.search(r"^ (\d+) (\d+) (\d+) $", answer.read().decode(), re.M).groups()
    return int(connections), int(requests)


def proxy(directory, certificate, target_port, *, workers=2, access_log=True, name="nginx"):
    """A plain TLS proxy, not started. Its access log is buffered (64 KiB, flushed each second)."""
    port = free_port()
    log = f"{directory}/{name}-access.log combined buffer=64k flush=1s" if access_log else "off"
    content = PROXY.format(target=target_port, port=port, certificate=certificate)
    return _process(directory, name, workers, port, log, content)
