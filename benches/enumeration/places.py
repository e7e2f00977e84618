"""Where strangers can name somebody, and what is sent there.

A place makes ready what comes before (a page with its hidden value), and returns the browser and the request whose time is taken.
"""

import base64
import dataclasses
import hashlib
import secrets
import typing
import urllib.parse

from enumeration.stage import BY_ADDRESS, BY_NAME, CALLBACK, KINDS, LOGIN_PAGE, NOBODY, PASSWORD, new_name


@dataclasses.dataclass(frozen=True)
class Place:
    prepare: typing.Callable  # (stage, kind, number) -> (browser, request, what was typed as the name)
    kinds: tuple  # of users, each of which is held against nobody
    sends_mail: bool


def sign_in(host):
    def prepare(stage, kind, number):
        browser, name = stage.browser(host), stage.name(host, kind, number)
        page = browser.get("/sign-in")
        return browser, browser.form("/sign-in", page, username=name, password=PASSWORD), name

    return prepare


def sign_in_json(stage, kind, number):
    """A sign-in from a page of the operator."""
    browser, name = stage.browser(BY_ADDRESS), stage.name(BY_ADDRESS, kind, number)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(secrets.token_bytes(32)).digest()).rstrip(b"=").decode()
    asked = {"response_type": "code", "client_id": "app", "redirect_uri": CALLBACK, "scope": "openid", "state": "s",
             "code_challenge": challenge, "code_challenge_method": "S256"}
    answer = browser.get("/oauth2/authorize?" + urllib.parse.urlencode(asked))
    handle = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.header("location")).fragment)["handle"][0]
    return browser, browser.json("/sign-in/json", LOGIN_PAGE, {"handle": handle, "username": name, "password": PASSWORD}), name


def signing_up(host, stage, kind, number, username=None):
    """A browser, and its sign-up. Nobody has the address only once."""
    browser = stage.browser(host)
    name = new_name() if kind == NOBODY else stage.name(host, kind, number)
    typed = {} if host == BY_ADDRESS else {"username": username or f"u-{secrets.token_hex(6)}"}
    page = browser.get("/signup")
    return browser, browser.form("/signup", page, email=name, password=PASSWORD, **typed), name


def sign_up(host):
    return lambda stage, kind, number: signing_up(host, stage, kind, number)


def sign_up_with_a_taken_name(stage, kind, number):
    taken = stage.name(BY_NAME, "disabled", number).partition("@")[0]
    return signing_up(BY_NAME, stage, kind, number, f"u-{taken}")


def sign_in_after_sign_up(stage, kind, number):
    """With the name and the password that were just chosen."""
    username = f"u-{secrets.token_hex(6)}"
    browser, request, name = signing_up(BY_NAME, stage, kind, number, username)
    browser.keep(stage.client.send(request))
    page = browser.get("/sign-in")
    return browser, browser.form("/sign-in", page, username=username, password=PASSWORD), name


def after_sign_up(path, **typed):
    """A form of the page that follows a sign-up."""

    def prepare(stage, kind, number):
        browser, request, name = signing_up(BY_ADDRESS, stage, kind, number)
        page = browser.follow(browser.keep(stage.client.send(request)))
        return browser, browser.form(path, page, **typed), name

    return prepare


def asking(path, host=BY_ADDRESS):
    """The page that takes a name, and sends a code."""

    def prepare(stage, kind, number):
        browser, name = stage.browser(host), stage.name(host, kind, number)
        return browser, browser.form(path, browser.get(path), username=name), name

    return prepare


def after_asking(path, answer_path, **typed):
    """The page that takes the code."""

    def prepare(stage, kind, number):
        browser, request, name = asking(path)(stage, kind, number)
        page = browser.follow(browser.keep(stage.client.send(request)))
        return browser, browser.form(answer_path, page, **typed), name

    return prepare


def probe(stage):
    """A request that writes to the database and is about nobody, to see what others have left to do."""
    browser = stage.browser(BY_ADDRESS)
    return browser.form("/forgotPassword", browser.get("/forgotPassword"), username=new_name())


ALL, OWNER = tuple(KINDS), ("confirmed",)
WRONG_CODE = {"code": "000000"}
# By name; in this order. Wrong codes come last, because five of them void a code.
PLACES = {
    "sign-in": Place(sign_in(BY_ADDRESS), ALL, False),
    "sign-in-alias": Place(sign_in(BY_NAME), OWNER, False),
    "sign-in-json": Place(sign_in_json, ALL, False),
    "sign-up": Place(sign_up(BY_ADDRESS), OWNER, True),
    "sign-up-alias": Place(sign_up(BY_NAME), OWNER, True),
    "sign-up-taken-name": Place(sign_up_with_a_taken_name, OWNER, False),
    "sign-up-sign-in": Place(sign_in_after_sign_up, OWNER, False),
    "resend": Place(after_sign_up("/resendcode"), OWNER, True),
    "reset": Place(asking("/forgotPassword"), ALL, True),
    "reset-alias": Place(asking("/forgotPassword", BY_NAME), OWNER, True),
    "code-by-mail": Place(asking("/sign-in/email"), ALL, True),
    "sign-up-code": Place(after_sign_up("/verify", **WRONG_CODE), OWNER, False),
    "reset-code": Place(after_asking("/forgotPassword", "/confirmforgotPassword", **WRONG_CODE, password=PASSWORD), OWNER, False),
    "code-by-mail-code": Place(after_asking("/sign-in/email", "/sign-in/email/code", **WRONG_CODE), OWNER, False),
}
