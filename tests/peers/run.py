#!/usr/bin/env python3
"""Signs a user in at a user pool through relying parties that nobody here wrote, with their default settings: at a pool with keys in files, and at
one with a store, which makes its keys itself.

    cargo build && python3 -m venv /tmp/peers && /tmp/peers/bin/pip install authlib flask requests
    apt-get install apache2 libapache2-mod-auth-openidc      # without it that peer is skipped, and the last line says so
    /tmp/peers/bin/python tests/peers/run.py

Exit status 0: every peer that is there signed the user in. Everything listens on loopback and ends with the script.
"""

import html
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

import requests
from authlib.integrations.flask_client import OAuth
from flask import Flask, url_for

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("VESTIBULE", str(ROOT / "target/debug/vestibule"))
MODULE = "/usr/lib/apache2/modules/mod_auth_openidc.so"
PASSWORD = "correct horse"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def wait_for(port, process):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on port {port}")


def certificates(folder):
    """An authority and a certificate for localhost."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=peers", cwd=folder)
    run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=localhost", cwd=folder)
    (folder / "extensions").write_text("subjectAltName=DNS:localhost\n")
    run("openssl", "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-days", "2",
        "-CAcreateserial", "-extfile", "extensions", "-out", "cert.pem", cwd=folder)


IN_FILES = """
    signing_key_file: pool
    rs256_signing_key_file: rsa"""
IN_STORE = """
    store: { sqlite: people.db, key_files: [store] }"""


def start_pool(folder, port, redirect_uris, keys):
    for out, kind in [("session", ["session"]), ("claims", ["signing"]), ("pool", ["signing"]), ("store", ["store"]),
                      ("rsa", ["signing", "--algorithm", "rs256"])]:
        run(BINARY, "keys", *kind, "--out", out, cwd=folder)
    password_hash = run(BINARY, "users", "hash", input=PASSWORD + "\n").strip()
    clients = "\n".join(
        f"      - {{ client_id: {name}, client_secret: a-secret-of-{name}, redirect_uris: ['{uri}'] }}"
        for name, uri in redirect_uris.items())
    (folder / "vestibule.yaml").write_text(f"""
listeners:
  - name: public
    address: 127.0.0.1:{port}
    protocol: https
    certificates: [{{ certificate_file: cert.pem, private_key_file: key.pem }}]
    default_actions: [{{ type: fixed-response, status_code: 404 }}]
user_pools:
  people:
    issuer: https://localhost:{port}{keys}
    users: [{{ username: alice, password_hash: '{password_hash}', subject: user-1, email: alice@example.com }}]
    clients:
{clients}
claims: {{ signer: 'arn:vestibule:peers', signing_key_file: claims }}
session: {{ key_files: [session] }}
admin: {{ address: 127.0.0.1:{free_port()} }}
""")
    process = subprocess.Popen([BINARY, "serve", "--config", "vestibule.yaml"], cwd=folder,
                               stdout=subprocess.DEVNULL, stderr=(folder / "vestibule.log").open("w"))
    wait_for(port, process)
    return process


def sign_in(browser, address):
    """From the pool's authorization endpoint to the address that it sends the browser back to."""
    page = browser.get(address, allow_redirects=False)
    assert page.status_code == 200, f"{page.status_code} {page.headers.get('location')} {page.text[:300]}"
    carried = html.unescape(re.search(r'name="request" value="([^"]*)"', page.text).group(1))
    form = {"request": carried, "username": "alice", "password": PASSWORD}
    back = browser.post(urllib.parse.urljoin(address, "/sign-in"), data=form, allow_redirects=False)
    assert back.status_code == 303, f"{back.status_code} {back.text[:300]}"
    return back.headers["location"]


def authlib(issuer):
    """The client of Authlib for Flask, registered by the discovery document's address and nothing else."""
    app = Flask("peer")
    app.secret_key = "peer"
    client = OAuth(app).register(
        "pool", client_id="authlib", client_secret="a-secret-of-authlib",
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid email"})

    @app.get("/login")
    def login():
        return client.authorize_redirect(url_for("callback", _external=True))

    @app.get("/callback")
    def callback():
        token = client.authorize_access_token()
        return {"sub": token["userinfo"]["sub"], "email": token["userinfo"]["email"], "id_token": token["id_token"]}

    visitor = app.test_client()
    browser = requests.Session()
    back = sign_in(browser, visitor.get("/login").headers["location"])
    answer = visitor.get(back)
    assert answer.status_code == 200, answer.text
    check(answer.json, "Authlib")


def check(claims, peer):
    assert claims["sub"] == "user-1" and claims["email"] == "alice@example.com", claims
    print(f"{peer}: signed in as {claims['sub']}")


def mod_auth_openidc(issuer, ca, folder, port):
    """The Apache module with the settings that its documentation begins with."""
    modules = Path(MODULE).parent
    load = "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n"
                   for name in ["mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "dir", "headers"])
    (folder / "www").mkdir()
    (folder / "www/index.html").write_text("inside\n")
    (folder / "apache.conf").write_text(f"""
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
Listen 127.0.0.1:{port}
{load}
ErrorLog {folder}/apache.log
DocumentRoot {folder}/www
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID apache
OIDCClientSecret a-secret-of-apache
OIDCScope "openid email"
OIDCRedirectURI http://localhost:{port}/callback
OIDCCryptoPassphrase peers
OIDCCABundlePath {ca}
<Location />
  AuthType openid-connect
  Require valid-user
  Header always set X-Claims "%{{OIDC_CLAIM_sub}}e %{{OIDC_CLAIM_email}}e"
</Location>
""")
    if os.geteuid() == 0:
        # Apache's workers are another user; the folder is private otherwise.
        os.chmod(folder, 0o755)
    environment = {**os.environ, "APACHE_RUN_DIR": str(folder)}
    process = subprocess.Popen([shutil.which("apache2"), "-X", "-f", str(folder / "apache.conf")], env=environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        browser = requests.Session()
        sent = browser.get(f"http://localhost:{port}/index.html", allow_redirects=False)
        assert sent.status_code == 302, f"{sent.status_code} {(folder / 'apache.log').read_text()[-2000:]}"
        back = sign_in(browser, sent.headers["location"])
        inside = browser.get(back)
        assert inside.status_code == 200 and inside.text == "inside\n", (
            f"{inside.status_code} {inside.text[:300]} {(folder / 'apache.log').read_text()[-2000:]}")
        subject, email = inside.headers["x-claims"].split(" ")
        check({"sub": subject, "email": email}, "mod_auth_openidc")
    finally:
        process.terminate()
        process.wait(10)


def sign_in_with_all(keys, algorithms):
    with tempfile.TemporaryDirectory(prefix="vestibule-peers-") as name:
        folder = Path(name)
        port, apache_port = free_port(), free_port()
        issuer, ca = f"https://localhost:{port}", str(folder / "ca.pem")
        certificates(folder)
        os.environ["REQUESTS_CA_BUNDLE"] = ca
        pool = start_pool(folder, port, {
            "authlib": "http://localhost/callback", "apache": f"http://localhost:{apache_port}/callback"}, keys)
        try:
            metadata = requests.get(f"{issuer}/.well-known/openid-configuration", timeout=10).json()
            assert metadata["id_token_signing_alg_values_supported"] == algorithms, json.dumps(metadata)
            authlib(issuer)
            if Path(MODULE).exists() and shutil.which("apache2"):
                mod_auth_openidc(issuer, ca, folder, apache_port)
                print("peers: 2 of 2")
            else:
                print("peers: 1 of 2; mod_auth_openidc is not installed")
        finally:
            pool.terminate()
            pool.wait(60)


def main():
    sign_in_with_all(IN_FILES, ["RS256", "ES256"])
    sign_in_with_all(IN_STORE, ["RS256"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
