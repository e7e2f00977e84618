"""Steady traffic at a pool and at what it protects, which knows what was acknowledged."""

import http.server
import itertools
import json
import random
import re
import secrets
import threading
import time

from pool.browser import App, Browser, heading
from pool.process import CALLBACK

FIRST = "a compiler for everybody"
APPLICATION, OPEN = "app.test", "open.test"
# What is done, and by how many at a time.
THREADS = {"sign-in": 2, "sign-up": 1, "password": 1, "second factor": 1, "refresh": 2, "signed in": 2, "open": 1}
# Whose passwords are changed: each four times, because five changes an hour are allowed.
CHANGING, CHANGES_EACH = 600, 4
# A refresh token of one user may be used once a second.
SIGNING_IN, WITH_APP, REFRESHING = 40, 12, 40
# Not part of the traffic, so that a check does not wait for the next code.
WITH_APP_FOR_CHECKS = 6
# Between two of one thread, so that the machine is not the only thing that is measured.
PAUSE_SECONDS = 0.05
CHANGE_PAUSE_SECONDS = 0.2


class Target(http.server.BaseHTTPRequestHandler):
    """The application. Says who it was told asks."""

    def do_GET(self):
        body = f"here {self.headers.get('x-amzn-oidc-identity', 'nobody')}".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def start_target():
    """Returns its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Target)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def people(password_hash):
    """The lines of a file for `users import`."""
    secured = {"tf": WITH_APP, "tc": WITH_APP_FOR_CHECKS}
    for prefix, count in {"in": SIGNING_IN, "pw": CHANGING, "rt": REFRESHING, "app": 8, **secured}.items():
        groups = ["secured"] if prefix in secured else []
        for number in range(count):
            name = f"{prefix}-{number}"
            attributes = {"email": f"{name}@example.com", "email_verified": "true"}
            yield json.dumps({"username": name, "attributes": attributes, "groups": groups, "password_hash": password_hash})


class Traffic:
    """`passwords` has all that a user may have had, in order, and `known` the place of the one that was acknowledged last."""

    def __init__(self, pool):
        self.pool, self.lock = pool, threading.Lock()
        self.signed_up = set()
        self.passwords = {f"pw-{number}": [FIRST] for number in range(CHANGING)}
        self.known = dict.fromkeys(self.passwords, 0)
        self.apps, self.tokens = {}, {}
        self.counts, self.failures = dict.fromkeys(THREADS, 0), []
        self.paused, self.busy, self.is_over = set(THREADS), dict.fromkeys(THREADS, 0), False
        self.generation = 0
        self.changing = itertools.cycle(range(CHANGING))
        self.works = {"sign-in": self.sign_in, "sign-up": self.sign_up, "password": self.change, "second factor": self.with_app,
                      "refresh": self.refresh, "signed in": self.signed_in, "open": self.open}

    def begin(self):
        """One after the other, because each begins with a sign-in, and as many as there are cores are hashed at a time."""
        self.resume()
        for kind, count in THREADS.items():
            for number in range(count):
                threading.Thread(target=self.run, args=(kind, number), daemon=True).start()
                time.sleep(0.2)

    def run(self, kind, number):
        state, generation = {}, 0
        while not self.is_over:
            if generation != self.generation:
                state, generation = {}, self.generation
            with self.lock:
                works = kind not in self.paused
                self.busy[kind] += works
            if works:
                try:
                    done = self.works[kind](number, state)
                except Exception as error:  # noqa: BLE001: each is told at the end
                    done = False
                    with self.lock:
                        self.failures.append((kind, f"{type(error).__name__}: {error}"))
                    state.clear()
                with self.lock:
                    self.busy[kind] -= 1
                    self.counts[kind] += done
            time.sleep(CHANGE_PAUSE_SECONDS if kind == "password" else PAUSE_SECONDS)

    def renew(self):
        """Everybody signs in again. To be called while they pause."""
        self.generation += 1

    def resume(self):
        with self.lock:
            self.paused = set()

    def pause(self, kinds=tuple(THREADS)):
        """Returns when what was under way has been answered."""
        with self.lock:
            self.paused |= set(kinds)
        while any(self.busy[kind] for kind in kinds):
            time.sleep(0.01)

    def browser(self, *hosts):
        """From an address of its own: limits on guessing are for each address, and this is many people."""
        return Browser(self.pool.port, ("login.test", *hosts), f"127.{random.randint(1, 250)}.{random.randint(0, 250)}.{random.randint(1, 250)}")

    def sign_in(self, number, state):
        state["turn"] = state.get("turn", 0) + 1
        name = f"in-{(2 * state['turn'] + number) % SIGNING_IN}"
        browser, code = self.pool.sign_in(name, FIRST, self.browser())
        assert code, f"{name} cannot sign in"
        assert self.pool.redeem(code)["id_token"]
        return True

    def sign_up(self, number, state):
        name, browser = f"new-{secrets.token_hex(8)}", self.browser()
        _, _, page = browser.follow("/signup")
        status, _, page = browser.submit(page, {"username": name, "password": FIRST})
        assert status in (200, 303) and 'name="password"' not in page, f"sign-up answered {status}: {heading(page)}"
        self.signed_up.add(name)
        return True

    def change(self, number, state):
        name = f"pw-{next(self.changing)}"
        if len(self.passwords[name]) > CHANGES_EACH:
            raise AssertionError("all users have changed their password as often as they may: CHANGING is too small")
        old, new = self.passwords[name][-1], f"{FIRST} {secrets.token_hex(4)}"
        browser, code = self.pool.sign_in(name, old, self.browser())
        assert code, f"{name} cannot sign in with the password of before"
        _, _, page = browser.follow("/account/password")
        self.passwords[name].append(new)
        status, _, page = browser.submit(page, {"current": old, "password": new})
        assert status == 200 and 'name="current"' not in page, f"the change of a password answered {status}: {heading(page)}"
        self.known[name] = len(self.passwords[name]) - 1
        return True

    def enroll(self, name):
        """Sets an app up at the first sign-in."""
        browser = self.browser()
        (_, _, page), _ = self.pool.ask(browser)
        _, _, page = browser.submit(page, {"username": name, "password": FIRST})
        app = App(re.search(r'class="secret">([^<]*)<', page)[1].replace(" ", ""))
        _, _, page = browser.submit(page, {"code": app.code()})
        _, leads_to, page = browser.submit(page, {})
        assert leads_to.startswith(CALLBACK), heading(page)
        self.apps[name] = app

    def with_app(self, number, state):
        ready = [name for name, app in self.apps.items() if app.is_ready() and name.startswith("tf-")]
        if not ready:
            return False
        return self.sign_in_with_app(self.pool, ready[0])

    def sign_in_with_app(self, pool, name):
        browser = self.browser()
        browser.port = pool.port
        (_, _, page), verifier = pool.ask(browser)
        _, _, page = browser.submit(page, {"username": name, "password": FIRST})
        assert 'name="code"' in page, f"{name} is not asked for a code: {heading(page)}"
        _, leads_to, page = browser.submit(page, {"code": self.apps[name].code()})
        assert leads_to.startswith(CALLBACK), f"the code of {name} is not taken: {heading(page)}"
        pool.redeem((re.search("code=([^&]*)", leads_to)[1], verifier))
        return True

    def refresh(self, number, state):
        state["turn"] = state.get("turn", 0) + 1
        name = f"rt-{(2 * state['turn'] + number) % REFRESHING}"
        if name not in state:
            browser, code = self.pool.sign_in(name, FIRST, self.browser())
            assert code
            state[name] = self.pool.redeem(code)["refresh_token"]
        status, text = self.pool.token(grant_type="refresh_token", refresh_token=state[name])
        assert status == 200, f"a refresh token was answered {status}: {text}"
        self.tokens[name] = state[name] = json.loads(text)["refresh_token"]
        return True

    def signed_in(self, number, state):
        if "browser" not in state:
            state["browser"] = self.application(number)
        status, leads_to, text = state["browser"].send("GET", f"https://{APPLICATION}/{secrets.token_hex(4)}")
        assert status == 200 and text.startswith("here ") and "nobody" not in text, f"a signed-in browser was answered {status} {leads_to}"
        return True

    def application(self, number):
        """A browser that is signed in at the application."""
        browser = self.browser(APPLICATION)
        _, _, page = browser.follow(f"https://{APPLICATION}/")
        status, _, text = browser.submit(page, {"username": f"app-{number}", "password": FIRST})
        assert status == 200 and text.startswith("here "), f"{status}: {heading(text)}"
        return browser

    def open(self, number, state):
        status, _, text = self.browser(OPEN).send("GET", f"https://{OPEN}/")
        assert (status, text) == (200, "here nobody"), f"the open host answered {status}"
        return True
