#!/usr/bin/env python3
"""Vestibule as the door of a real Traefik, with the files of docs/FORWARD_AUTH.md.

    cargo build && tests/peers/traefik.py [FOLDER]

Builds Traefik from its Go module in FOLDER (default: target/traefik), which takes half an hour and 5 GB the first time. Needs Go 1.26. Some of its
dependencies are forks and DNS clients that the module proxy does not have. What the tests do not use of them is replaced: DNS providers of ACME,
basic and digest authentication, and rules in the syntax of version 2. The middleware `forwardAuth` and everything else is as released.

A user signs in at a user pool of another Vestibule. Exit status 0: every check held. Everything listens on loopback and ends with the script.
"""

import http.client
import http.server
import html
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BINARY = ROOT / "target/debug/vestibule"
VERSION = "v3.7.13"
PASSWORD = "correct horse"
A_PAGE = [("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")]
A_SCRIPT = [("accept", "application/json"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]
MODULES = {
    "github.com/go-acme/lego/v5": "v5.4.1",
    "github.com/gorilla/mux": "v1.8.1",
    "github.com/abbot/go-http-auth": "v0.4.0",
}
POOL = """
listeners:
  - {{ name: pool, address: "127.0.0.1:{pool}", protocol: http, default_actions: [{{ type: fixed-response, status_code: 404 }}] }}
user_pools:
  people:
    issuer: http://127.0.0.1:{pool}
    signing_key_file: {folder}/pool-key.pem
    users: [{{ username: alice, password_hash: "{hashed}", subject: user-1 }}]
    clients:
      - client_id: door
        client_secret: a-client-secret-of-some-length
        redirect_uris: ["https://app.test/oauth2/idpresponse"]
        id_token_signed_response_alg: ES256
claims: {{ signer: "arn:vestibule:peers", signing_key_file: {folder}/claims-key.pem }}
session: {{ key_files: [{folder}/session-key] }}
admin: {{ address: "127.0.0.1:{admin}" }}
"""
NO_DNS_PROVIDERS = """package dns

import (
	"fmt"

	"github.com/go-acme/lego/v5/challenge"
)

func NewDNSChallengeProviderByName(name string) (challenge.Provider, error) {
	return nil, fmt.Errorf("unrecognized DNS provider: %s", name)
}
"""
NO_ROUTING_PATH = """package mux

type routingPathKey struct{}

var RoutingPathKey routingPathKey

func (r *Router) UseRoutingPath() *Router { return r }
"""
NO_PASSWORDS = """package auth

import "net/http"

func (da *DigestAuth) RequireAuthStale(w http.ResponseWriter, r *http.Request) { da.RequireAuth(w, r) }

func CheckSecret(_, _ string) bool { return false }
"""
NO_EXTENSIONS = """package ext

type HTTP struct{}

type Router struct{}

type RouterIng struct{}

func (RouterIng) ToRouter() Router { return Router{} }
"""


def module(name, version, cwd):
    """Where the module proxy's copy of a module is."""
    told = subprocess.run(["go", "mod", "download", "-json", f"{name}@{version}"], cwd=cwd, check=True, capture_output=True, text=True)
    return Path(json.loads(told.stdout)["Dir"])


def copy_of(name, cwd, to):
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(module(name, MODULES[name], cwd), to, copy_function=shutil.copyfile)
    for folder in [to, *to.rglob("*")]:
        folder.chmod(0o755 if folder.is_dir() else 0o644)
    return to


def build(folder):
    program = folder / "traefik"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "go.mod").write_text("module vestibule.test/traefik\n\ngo 1.26.0\n")
    shutil.copyfile(module("github.com/traefik/traefik/v3", VERSION, folder) / "go.sum", folder / "go.sum")
    providers = copy_of("github.com/go-acme/lego/v5", folder, folder / "lego") / "providers/dns"
    for entry in providers.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    (providers / "none.go").write_text(NO_DNS_PROVIDERS)
    (copy_of("github.com/gorilla/mux", folder, folder / "mux") / "routing_path.go").write_text(NO_ROUTING_PATH)
    passwords = copy_of("github.com/abbot/go-http-auth", folder, folder / "httpauth")
    (passwords / "none.go").write_text(NO_PASSWORDS)
    if not (passwords / "go.mod").exists():
        (passwords / "go.mod").write_text("module github.com/abbot/go-http-auth\n\ngo 1.24\n")
    (folder / "ext").mkdir(exist_ok=True)
    (folder / "ext/go.mod").write_text("module github.com/traefik/traefik/dynamic/ext\n\ngo 1.24\n")
    (folder / "ext/ext.go").write_text(NO_EXTENSIONS)
    (folder / "tools.go").write_text('//go:build tools\n\npackage tools\n\nimport _ "github.com/traefik/traefik/v3/cmd/traefik"\n')
    (folder / "go.mod").write_text(
        f"module vestibule.test/traefik\n\ngo 1.26.0\n\nrequire github.com/traefik/traefik/v3 {VERSION}\n\n"
        "replace github.com/go-acme/lego/v5 => ./lego\n"
        "replace github.com/gorilla/mux => ./mux\n"
        "replace github.com/abbot/go-http-auth => ./httpauth\n"
        "replace github.com/traefik/traefik/dynamic/ext => ./ext\n\n"
        "exclude github.com/tencentcloud/tencentcloud-sdk-go v3.0.83+incompatible\n"
    )
    command = ["go", "build", "-mod=mod", "-o", "traefik", "github.com/traefik/traefik/v3/cmd/traefik"]
    subprocess.run(command, cwd=folder, check=True)
    return program


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Application(http.server.BaseHTTPRequestHandler):
    seen = []

    def do_GET(self):
        self.seen.append((self.path, self.headers.items()))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def file(first_line):
    """The block of the document that begins with this line."""
    blocks = (ROOT / "docs/FORWARD_AUTH.md").read_text().split("\n```")
    return next(block.split("\n", 1)[1] for block in blocks if block.split("\n")[1:2] == [first_line]) + "\n"


def wait_for(port, process):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def ask(port, path, headers=()):
    """The status of an answer of Traefik, the whole answer, and what the application saw."""
    before = len(Application.seen)
    context = ssl._create_unverified_context()
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="app.test") as connection:
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n{fields}\r\n".encode())
        answer = b""
        while received := connection.recv(65536):
            answer += received
    return int(answer.split(b" ")[1]), answer.decode(errors="replace"), Application.seen[before:]


def fields_of(answer, name):
    head = answer.split("\r\n\r\n")[0].split("\r\n")[1:]
    return [value for field, _, value in (line.partition(": ") for line in head) if field.lower() == name]


def kept(jar, answer):
    """The cookies that a browser has after an answer."""
    for line in fields_of(answer, "set-cookie"):
        name, _, value = line.split(";")[0].partition("=")
        if "max-age=0" in line.lower():
            jar.pop(name, None)
        else:
            jar[name] = value
    return [("cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))]


def at_pool(method, url, body=None, cookies=None):
    """A page of the user pool, as a browser gets it."""
    url = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(url.netloc, timeout=60)
    headers = dict(A_PAGE) | {"origin": f"http://{url.netloc}", "content-type": "application/x-www-form-urlencoded"}
    if cookies:
        headers["cookie"] = cookies
    connection.request(method, f"{url.path}?{url.query}" if url.query else url.path, body, headers)
    answer = connection.getresponse()
    return answer, answer.read().decode()


def sign_in(port, path):
    """From a page of the application to the pool, and back to that page. Returns the cookies of the browser."""
    jar = {}
    status, answer, seen = ask(port, path, A_PAGE)
    assert status == 302 and not seen, (status, answer)
    cookies = kept(jar, answer)
    authorize = fields_of(answer, "location")[0]
    page, text = at_pool("GET", authorize)
    assert page.status == 200, (page.status, text)
    carried = html.unescape(re.search(r'name="request" value="([^"]*)"', text).group(1))
    of_pool = "; ".join(line.split(";")[0] for line in page.headers.get_all("set-cookie", []))
    form = urllib.parse.urlencode({"request": carried, "username": "alice", "password": PASSWORD})
    back, text = at_pool("POST", urllib.parse.urljoin(authorize, "/sign-in"), form, of_pool)
    assert back.status == 303, (back.status, text)
    callback = back.headers["location"]
    assert callback.startswith("https://app.test/oauth2/idpresponse?"), callback
    status, answer, seen = ask(port, callback.removeprefix("https://app.test"), [*A_PAGE, *cookies])
    assert status == 302 and fields_of(answer, "location") == [path] and not seen, (status, answer, seen)
    return kept(jar, answer)


def check_sign_in(port):
    cookies = sign_in(port, "/x?y=%2F")
    for spoofed in [[], [("x-amzn-oidc-identity", "admin"), ("x-amzn-oidc-data", "e.e.e")]]:
        status, answer, seen = ask(port, "/x?y=%2F", [*A_PAGE, *cookies, *spoofed])
        assert status == 200, (status, answer)
        [(path, headers)] = seen
        headers = {name.lower(): value for name, value in headers}
        assert path == "/x?y=%2F" and headers["x-amzn-oidc-identity"] == "user-1", headers
        assert len(headers["x-amzn-oidc-data"]) > 100 and "cookie" not in headers, headers
        assert "x-amzn-oidc-data" not in answer.lower().split("\r\n\r\n")[0], answer
    # F-09.
    for broken in ["AAAA", cookies[0][1].split("=", 1)[1][:40]]:
        status, _, seen = ask(port, "/api/x", [*A_SCRIPT, ("cookie", f"__Host-vestibule-0={broken}")])
        assert status == 401 and not seen, (broken, status)
    status, answer, seen = ask(port, "/api/x", [*A_SCRIPT, *cookies])
    assert status == 200 and len(seen) == 1, (status, answer)
    # B-01: programs find the issuer.
    status, answer, seen = ask(port, "/machine/x", A_SCRIPT)
    metadata = "/.well-known/oauth-protected-resource/machine"
    assert status == 401 and f'resource_metadata="https://app.test{metadata}"' in answer and not seen, answer
    status, answer, seen = ask(port, metadata)
    assert status == 200 and '"resource":"https://app.test/machine"' in answer and not seen, answer
    for other in ["", "/", "s", "/machine/x"]:
        status, _, seen = ask(port, f"/.well-known/oauth-protected-resource{other}", A_SCRIPT)
        assert status >= 400 and not seen, (other, status, seen)


def is_ready(port):
    """Whether Traefik has read its second file: before, it closes connections or answers 404."""
    try:
        return ask(port, "/public/x")[0] != 404
    except OSError:
        return False


def check(port):
    status, _, seen = ask(port, "/public/x?y=%2F")
    assert status == 200 and seen[0][0] == "/public/x?y=%2F", (status, seen)
    status, answer, seen = ask(port, "/api/x", [("accept", "application/json")])
    assert status == 401 and '"error":"auth.required"' in answer and not seen, answer
    names = re.findall(r'"([a-z0-9-]+)"', (ROOT / "crates/base/src/message/header.rs").read_text().split("const NEVER_FROM_A_CLIENT")[1].split("];")[0])
    # H-01, H-02, H-03, F-10. A request that asks for another method is refused.
    for name in (name for name in names if "-method-override" not in name and name != "x-http-method"):
        for separator in "-_.":
            status, _, seen = ask(port, "/public/x", [(name.replace("-", separator), "of-attack")])
            assert status == 200 and not any("of-attack" in value for _, value in seen[0][1]), (name, separator, seen)
    # F-01, F-02, F-04, F-05, H-10.
    for field in [("x-forwarded-uri", "/public/x"), ("x-forwarded-method", "OPTIONS"), ("x-forwarded-host", "evil.test"),
                  ("connection", "x-forwarded-uri"), ("x-original-url", "https://app.test/public/x"),
                  ("user-agent", "GoogleHC/1.0"), ("cookie", "__Host-vestibule-0=AAAA")]:
        status, _, seen = ask(port, "/api/x", [field])
        assert status == 401 and not seen, (field, status, seen)
    # P-04 to P-09.
    for path in ["/public/../api/x", "/public/%2e%2e/api/x", "/public/..%2fapi/x", "//api/x", "/api%2fx", "/%61pi/x",
                 "/oauth2/../api/x", "/public/..;x/api", "/auth"]:
        status, _, seen = ask(port, path)
        assert status >= 300 and not seen, (path, status, seen)
    # Vestibule's own paths.
    status, answer, seen = ask(port, "/oauth2/userinfo", [("accept", "application/json")])
    assert status == 401 and "auth." in answer and not seen, answer


def main():
    traefik = build(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/traefik").resolve())
    application = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Application)
    threading.Thread(target=application.serve_forever, daemon=True).start()
    folder = Path(tempfile.mkdtemp(prefix="vestibule-traefik-"))
    door, front, pool, processes = free_port(), free_port(), free_port(), []
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout",
                    "key.pem", "-out", "cert.pem", "-subj", "/CN=app.test"], cwd=folder, check=True, capture_output=True)
    (folder / "client-secret").write_text("a-client-secret-of-some-length")
    for kind, name in [("session", "session-key"), ("signing", "claims-key.pem"), ("signing", "pool-key.pem")]:
        subprocess.run([BINARY, "keys", kind, "--out", folder / name], check=True, capture_output=True)

    def written(first_line, name, *changes):
        text = file(first_line).replace("127.0.0.1:9000", f"127.0.0.1:{door}").replace("app.example.com", "app.test")
        for old, new in [("/etc/vestibule/", f"{folder}/"), ("/etc/traefik/", f"{folder}/"), *changes]:
            text = text.replace(old, new)
        (folder / name).write_text(text)
        return folder / name

    try:
        admin = f"admin: {{ address: 127.0.0.1:{free_port()} }}\n"
        issuer = f"http://127.0.0.1:{pool}"
        machine = ("    rules:\n", "    rules:\n      - priority: 3\n        conditions: [{ path_pattern: [\"/machine/*\"] }]\n        actions:\n"
                   "          - { type: jwt-validation, provider: corp, audience: [api], resource_path: /machine }\n"
                   "          - { type: allow, audience: app }\n")
        config = written("# vestibule.yaml", "vestibule.yaml", ("asked_by: nginx", "asked_by: traefik"),
                         ("https://login.example.com", issuer), machine)
        config.write_text(config.read_text() + admin)
        hashed = subprocess.run([BINARY, "users", "hash"], input=f"{PASSWORD}\n", check=True, capture_output=True, text=True).stdout.strip()
        (folder / "pool.yaml").write_text(POOL.format(pool=pool, folder=folder, hashed=hashed, admin=free_port()))
        processes.append(subprocess.Popen([BINARY, "serve", "--config", config], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        wait_for(door, processes[0])
        processes.append(subprocess.Popen([BINARY, "serve", "--config", folder / "pool.yaml"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        wait_for(pool, processes[1])
        written("# dynamic.yaml", "dynamic.yaml", ("127.0.0.1:8000", f"127.0.0.1:{application.server_port}"))
        static = written("# traefik.yaml", "traefik.yaml", ('":443"', f'"127.0.0.1:{front}"'))
        processes.append(subprocess.Popen([traefik, f"--configFile={static}"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        wait_for(front, processes[2])
        deadline = time.monotonic() + 30
        while not is_ready(front) and time.monotonic() < deadline:
            time.sleep(0.05)
        check(front)
        check_sign_in(front)
        processes[0].terminate()
        processes[0].wait()
        status, _, seen = ask(front, "/public/x")
        assert status >= 500 and not seen, "a door that is gone lets nobody in"
        print("Traefik: every check held")
    finally:
        for process in processes:
            process.kill()
        shutil.rmtree(folder, ignore_errors=True)


main()
