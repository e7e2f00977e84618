"""Uploads that are answered before they have been read, by Python's http.client and by curl.

    python upload.py '{"address": "127.0.0.1:8443", "host": "app.test", "uploads": [["/api/x", 65536], ["/", -65536]]}'

Each upload is a POST on a connection of its own with a body of that many bytes; below zero: in chunks. http.client sends the
whole body before it looks for the answer. Standard output has one JSON array for each upload: client, path, size, and the
status or the error.
"""

import http.client
import json
import ssl
import subprocess
import sys
import tempfile


def chunks(size):
    for start in range(0, size, 16384):
        yield b"x" * min(16384, size - start)


def by_library(address, host, path, size):
    context = ssl._create_unverified_context()
    context.set_alpn_protocols(["http/1.1"])
    connection = http.client.HTTPSConnection(address, context=context, timeout=30)
    try:
        headers = {"Host": host, "Content-Type": "application/octet-stream"}
        if size < 0:
            connection.request("POST", path, chunks(-size), headers, encode_chunked=True)
        else:
            connection.request("POST", path, b"x" * size, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()


def by_curl(address, host, path, size, protocol):
    port = address.rsplit(":", 1)[1]
    with tempfile.NamedTemporaryFile() as body:
        body.write(b"x" * abs(size))
        body.flush()
        command = ["curl", "-sk", protocol, "--max-time", "30", "-o", "/dev/null", "-w", "%{http_code} %{exitcode}"]
        command += ["--connect-to", f"{host}:443:{address}", "-X", "POST", "-H", "Content-Type: application/octet-stream"]
        # curl would wait for a word before it sends.
        command += ["-H", "Expect:", "--data-binary", f"@{body.name}", f"https://{host}{path}"]
        if size < 0:
            command += ["-H", "Transfer-Encoding: chunked"]
        status, code = subprocess.run(command, capture_output=True, text=True).stdout.split()
        return int(status) if code == "0" else f"exit code {code}, status {status}"


def main():
    settings = json.loads(sys.argv[1])
    address, host = settings["address"], settings["host"]
    for path, size in settings["uploads"]:
        print(json.dumps(["http.client", path, size, by_library(address, host, path, size)]))
        print(json.dumps(["curl", path, size, by_curl(address, host, path, size, "--http1.1")]))
        if size > 0:
            print(json.dumps(["curl, HTTP/2", path, size, by_curl(address, host, path, size, "--http2")]))


main()
