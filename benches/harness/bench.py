"""One bench: a directory, a certificate, a deployment's keys, and the servers that it started."""

import os
import resource
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile

from harness import apache, certificates, envoy, haproxy, nginx, vestibule
from harness.browser import Browser, Failed
from harness.process import free_port

OPEN_FILES = 65_536
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Bench:
    """A context manager; leaving it ends every server and takes the directory away."""

    def __init__(self, binary, workers=2):
        self.binary = os.path.abspath(binary)
        self.workers = workers
        self.running = []
        self.children = []
        self.directory = None

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what runs is ended
        raise_open_files()
        self.directory = tempfile.mkdtemp(prefix="vestibule-bench-")
        os.chmod(self.directory, 0o755)  # Apache's processes are another user's
        self.certificate = certificates.make_certificate(self.directory)
        self.keys = vestibule.Keys(self.directory, self.binary)
        return self

    def __exit__(self, *_):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        for process in reversed(self.running):
            process.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, child):
        """A client (`subprocess.Popen`) that is killed at the end if it still runs then."""
        self.children.append(child)
        return child

    def start(self, process):
        """Starts any server and waits until it listens."""
        self.running.append(process.start())
        return process.wait_until_it_listens()

    def stop(self, process):
        process.stop()
        self.running.remove(process)

    def start_backend(self, **options):
        """The target: see `nginx.backend`."""
        return self.start(nginx.backend(self.directory, **options))

    def start_nginx(self, target_port, **options):
        """The plain proxy: see `nginx.proxy`."""
        return self.start(nginx.proxy(self.directory, self.certificate, target_port, workers=self.workers, **options))

    def start_haproxy(self, target_port):
        return self.start(haproxy.proxy(self.directory, self.certificate, target_port, workers=self.workers))

    def start_issuer(self, name, clients):
        """A Vestibule that is nobody's proxy: the user pool at `login.localhost` that other relying parties sign in with.

        `clients` are those of the configuration's `user_pools`.
        """
        settings = self.vestibule_configuration(free_port(), clients=clients)
        settings["access_log"]["destination"] = f"{self.directory}/{name}-access.log"
        return self.start_vestibule(settings, name)

    def start_envoy(self, target_port, name="envoy", *, jwt_cache=False):
        """Envoy, with its own issuer: see `envoy.proxy`."""
        port, secret = free_port(), secrets.token_hex(24)
        issuer = self.start_issuer(f"{name}-issuer", [client(envoy, port, secret)])
        files = [envoy.secret_file(self.directory, name, which, value)
                 for which, value in (("token", secret), ("hmac", secrets.token_hex(32)))]
        return self.start(envoy.proxy(self.directory, name, self.certificate, target_port, issuer.port, port, *files,
                                      workers=self.workers, jwt_cache=jwt_cache))

    def start_apache(self, target_port):
        """Apache mod_auth_openidc, with its own issuer."""
        port, secret = free_port(), secrets.token_hex(24)
        issuer = self.start_issuer("apache-issuer", [client(apache, port, secret)])
        return self.start(apache.proxy(self.directory, self.certificate, target_port, issuer.port, port, secret,
                                       secrets.token_hex(32), workers=self.workers))

    def vestibule_configuration(self, target_port, **options):
        """A dictionary to change at will: see `vestibule.configuration`. It names free ports, and so serves once at a time."""
        return vestibule.configuration(
            self.directory, self.keys, self.certificate, target_port, **{"workers": self.workers, **options})

    def start_vestibule(self, configuration, name="vestibule", wrapper=()):
        """Serves a configuration. `wrapper` is what the command is run under, as `["valgrind", "--tool=callgrind"]`."""
        return self.start(vestibule.process(self.directory, self.binary, configuration, name, wrapper))

    def user(self, username, padding_bytes=0):
        """A user for the configuration's `users`: see `vestibule.user`."""
        return vestibule.user(self.keys, username, padding_bytes)

    def browser(self):
        return Browser(self.certificate)

    def sign_in(self, proxy, username="demo", path="/who"):
        """Signs in as a browser does, on the way to `path`; answers the application's `Cookie` header.

        At `/who` the target must have been told who it is. Not so with proxies that tell it in other headers: give `/`.
        """
        browser = self.browser()
        try:
            told = browser.sign_in(proxy.url(path), username)
            if not told:
                raise Failed("signed in, but the target was not told who it is")
        except Failed as failed:
            raise SystemExit(f"{proxy.name}: {failed}\n{proxy.log()}") from failed
        finally:
            browser.close()
        return browser.cookie_for(proxy.url())

    def check(self, proxy, cookie, body_bytes=1024, path="/"):
        """With this cookie the answer must be 200 and as long as that."""
        browser = self.browser()
        if cookie:
            browser.cookies["localhost"] = dict(pair.split("=", 1) for pair in cookie.split("; "))
        status, _, text = browser.request("GET", proxy.url(path))
        browser.close()
        if status != 200 or len(text) != body_bytes:
            raise SystemExit(f"{proxy.name}: {status}, {len(text)} bytes:\n{text[:500]}\n{proxy.log()}")

    def check_refuses(self, proxy):
        """Without a cookie it must not answer from the target."""
        browser = self.browser()
        status, location, _ = browser.request("GET", proxy.url("/"))
        browser.close()
        if not (status == 401 or 300 <= status < 400 and location):
            raise SystemExit(f"{proxy.name} answered {status} to a request without a session")


def client(proxy, port, secret):
    """An app client of the pool, for a proxy that brings `CLIENT_ID` and `CALLBACK`."""
    return {"client_id": proxy.CLIENT_ID, "client_secret": secret, "redirect_uris": [f"https://localhost:{port}{proxy.CALLBACK}"]}


def raise_open_files():
    """For this process and what it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, max(hard, OPEN_FILES)))
    except (OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # enough for 10,000 connections from 10,000 on


def release_binary(given=None):
    """`given`, or the release build of this tree, built now."""
    if given:
        return given
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
    return os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"), "release", "vestibule")
