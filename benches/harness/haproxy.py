"""HAProxy as a plain TLS proxy."""

from harness.process import Process, free_port, write

CONFIGURATION = """
global
    nbthread {workers}
    maxconn 30000
    no strict-limits
    log stdout format raw local0 info
    tune.bufsize 40960
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode http
    log global
    option httplog
    timeout connect 10s
    timeout client 600s
    timeout server 60s
    timeout http-keep-alive 600s

frontend public
    bind 127.0.0.1:{port} ssl crt {certificate.both} alpn h2,http/1.1 backlog 4096
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    http-request set-header X-Forwarded-Port {port}
    http-request return status 200 content-type text/plain string ok if {{ path /healthz }}
    default_backend target

backend target
    http-reuse always
    server target 127.0.0.1:{target} pool-max-conn 128
"""


def proxy(directory, certificate, target_port, *, workers=2):
    """Not started. Its access log is its standard output, which is a file here, a line each (as its manual has it for
    containers); the buffer is above the default of 16 KiB for the sake of four cookies."""
    port = free_port()
    path = write(directory, "haproxy.cfg", CONFIGURATION.format(
        workers=workers, port=port, target=target_port, certificate=certificate))
    return Process(["haproxy", "-db", "-f", path], directory, "haproxy", port)
