"""A process with a user pool, and its folder."""

import base64
import hashlib
import json
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from pool.browser import LOGIN, Browser, Gone

CALLBACK = "https://client.test/callback"
START_SECONDS = 20
# Gives the socket that the process has as its standard input the number 3, and says so as a service manager does (sd_listen_fds(3)).
PASS = 'exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"'


class Pool:
    """`configuration` is a text with the places `port`, `admin`, `login`, `callback` and `secret`, and those of `more`. `others` are names that the
    certificate has as well."""

    def __init__(self, program, folder, configuration, others=(), **more):
        self.program, self.folder, self.process = str(program), Path(folder), None
        self.configuration, self.more = configuration, more
        self.port, self.admin = free_port(), free_port()
        self.secret = secrets.token_urlsafe(32)
        names = ",".join(f"DNS:{name}" for name in (LOGIN, *others))
        run = lambda *arguments: subprocess.run(arguments, cwd=folder, check=True, capture_output=True)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key.pem", "-out", "cert.pem",
            "-days", "2", "-subj", f"/CN={LOGIN}", "-addext", f"subjectAltName={names}")
        run(program, "keys", "store", "--out", "store-key")
        run(program, "keys", "session", "--out", "session-key")
        run(program, "keys", "signing", "--out", "signing-key")
        self.configure()

    def configure(self, **more):
        """Writes the configuration. What was given for a place stays."""
        self.more |= more
        text = self.configuration.format(port=self.port, admin=self.admin, login=LOGIN, callback=CALLBACK, secret=self.secret, **self.more)
        (self.folder / "vestibule.yaml").write_text(text)

    def beside(self, folder, **more):
        """Another one with the same configuration and keys at another port, which is not started."""
        other = object.__new__(Pool)
        other.__dict__ |= {**self.__dict__, "folder": Path(folder), "process": None, "more": dict(self.more)}
        for name in ("cert.pem", "key.pem", "session-key", "signing-key", *(path.name for path in self.folder.glob("store-key*"))):
            shutil.copy2(self.folder / name, other.folder / name)
        other.port, other.admin = free_port(), free_port()
        other.configure(**more)
        return other

    def run(self, *arguments, typed=None):
        """Runs a command there."""
        more = [] if arguments[0] == "keys" or arguments[:2] == ("users", "hash") else ["--config", "vestibule.yaml"]
        return subprocess.run([self.program, *arguments, *more], cwd=self.folder, input=typed, text=True, capture_output=True)

    def users(self, *arguments, typed=None):
        done = self.run("users", *arguments, typed=typed)
        if done.returncode:
            raise SystemExit(f"users {' '.join(arguments)}: {done.stdout[-500:]}{done.stderr}")
        return done.stdout

    def hash(self, password):
        return self.users("hash", typed=password + "\n").strip()

    def start(self, *options, program=None, sockets=None):
        """Starts it and waits until it listens. With `sockets`, a listening socket, it gets that one as from a service manager."""
        self.launch(*options, program=program, sockets=sockets)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                Browser(self.port).send("GET", "/.well-known/openid-configuration")
                return
            except Gone as error:
                if self.process.poll() is not None:
                    raise SystemExit(f"it does not start: it ended with {self.process.returncode}: {self.log()}") from error
                time.sleep(0.05)
        raise SystemExit(f"it does not listen: {self.log()}")

    def launch(self, *options, program=None, sockets=None):
        """Starts it, and returns at once."""
        command = [program or self.program, "serve", "--config", "vestibule.yaml", *options]
        with open(self.folder / "log", "ab") as log:
            if sockets is not None:
                command = ["sh", "-c", PASS, "pass", *command]
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=sockets or subprocess.DEVNULL, stdout=log, stderr=log)

    def log(self):
        return (self.folder / "log").read_text()[-3000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends it as an operator does. Returns the exit code."""
        self.process.terminate()
        return self.process.wait(timeout=60)

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def token(self, path="/oauth2/token", **form):
        basic = base64.b64encode(f"app:{self.secret}".encode()).decode()
        status, _, text = Browser(self.port).send("POST", path, form, [("Authorization", f"Basic {basic}")])
        return status, text

    def ask(self, browser):
        """Opens the authorization request of an application. Returns the answer, and the verifier of the code."""
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        asked = {"response_type": "code", "client_id": "app", "redirect_uri": CALLBACK, "scope": "openid offline_access", "state": "s",
                 "prompt": "consent", "code_challenge": challenge, "code_challenge_method": "S256"}
        return browser.follow("/oauth2/authorize?" + urlencode(asked)), verifier

    def sign_in(self, name, password, browser=None):
        """Signs in by the OAuth request of an application. Returns the browser, and the code with its verifier, or None if the password is wrong."""
        browser = browser or Browser(self.port)
        (_, _, page), verifier = self.ask(browser)
        status, leads_to, page = browser.submit(page, {"username": name, "password": password})
        if leads_to.startswith(CALLBACK):
            return browser, (parse_qs(urlsplit(leads_to).query)["code"][0], verifier)
        assert status in (200, 401, 403, 429, 503), (status, leads_to)
        return browser, None

    def redeem(self, code):
        """The tokens of a code of `sign_in`."""
        status, text = self.token(grant_type="authorization_code", code=code[0], code_verifier=code[1], redirect_uri=CALLBACK)
        assert status == 200, text
        return json.loads(text)


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
