"""A relying party that nobody here wrote signs a user in at a user pool: PyPI's authlib, as it is, with what discovery tells it.

Argument: `session`, which is authlib's OAuth2Client with its verifier of ID tokens, or `starlette`, which is its client for Starlette.
Standard input, JSON: {"issuer", "clientId", "clientSecret", "publicId", "redirectUri", "postLogoutRedirectUri", "username", "password", "machineId",
"machineSecret", "machineScope"}. The authority of the pool's certificate comes by SSL_CERT_FILE.
Standard output, one JSON line with what was seen.
"""

import asyncio
import html
import json
import re
import sys
import urllib.parse

import httpx2
from authlib.common.security import generate_token
from authlib.integrations.httpx_client import OAuth2Client
from authlib.integrations.starlette_client import OAuth
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route

asked = json.loads(sys.stdin.read())
SCOPE = "openid email profile offline_access"
METADATA_URL = asked["issuer"] + "/.well-known/openid-configuration"


class Visitor(httpx2.Client):
    """A browser without scripts, at the pool."""

    def sign_in(self, address):
        """Where the pool leads the browser after the password."""
        page = self.get(address)
        if page.status_code in (302, 303):
            return page.headers["location"]
        found = re.search(r'name="request" value="([^"]*)"', page.text)
        if not found:
            raise RuntimeError(f"no form: {page.status_code} {page.text[:300]}")
        typed = {"request": html.unescape(found[1]), "username": asked["username"], "password": asked["password"]}
        back = self.post(urllib.parse.urljoin(address, "/sign-in"), data=typed, headers={"origin": asked["issuer"]})
        if back.status_code != 303:
            raise RuntimeError(f"{back.status_code} {back.text[:300]}")
        return urllib.parse.urljoin(address, back.headers["location"])


def refusal(call, *arguments, **options):
    """The error of OAuth that a call ends with."""
    try:
        call(*arguments, **options)
    except Exception as error:
        return getattr(error, "error", None) or type(error).__name__
    return "none"


def verified(metadata, client_id, keys, token, nonce):
    """The claims of an ID token, checked as OpenID Connect Core §3.1.3.7 says."""
    decoded = jwt.decode(token["id_token"], keys, algorithms=metadata["id_token_signing_alg_values_supported"])
    options = {"iss": {"essential": True, "value": metadata["issuer"]}, "aud": {"essential": True, "value": client_id}}
    parameters = {"nonce": nonce, "client_id": client_id, "access_token": token["access_token"]}
    claims = CodeIDToken(decoded.claims, decoded.header, options, parameters)
    claims.validate(leeway=0)
    return dict(claims)


class OurTokens(JWTBearerTokenValidator):
    """A resource server that verifies access tokens by RFC 9068."""

    def __init__(self, issuer, resource_server, keys):
        super().__init__(issuer, resource_server)
        self.keys = keys

    def get_jwks(self):
        return self.keys

    def read(self, token):
        """The claims of an access token with the scope `openid`."""
        claims = self.authenticate_token(token)
        self.validate_token(claims, ["openid"], None)
        return claims


def code_flow(metadata, keys, visitor, **client):
    """Signs in. Returns the client with its tokens, the claims, the answer that the pool led back to, and the verifier of PKCE."""
    session = OAuth2Client(scope=SCOPE, redirect_uri=asked["redirectUri"], code_challenge_method="S256", **metadata, **client)
    verifier, nonce = generate_token(48), generate_token(20)
    address, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
    back = visitor.sign_in(address)
    token = session.fetch_token(metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier)
    claims = verified(metadata, client["client_id"], keys, dict(token), nonce)
    wrong = refusal(verified, metadata, client["client_id"], keys, dict(token), "another nonce")
    return session, claims, back, verifier, wrong


def with_session():
    metadata = httpx2.get(METADATA_URL).raise_for_status().json()
    keys = KeySet.import_key_set(httpx2.get(metadata["jwks_uri"]).raise_for_status().json())
    visitor = Visitor()
    secret = {"client_id": asked["clientId"], "client_secret": asked["clientSecret"]}
    session, claims, back, verifier, wrong_nonce = code_flow(metadata, keys, visitor, **secret)
    userinfo = session.get(metadata["userinfo_endpoint"]).raise_for_status().json()
    first = dict(session.token)
    resource_server = OurTokens(metadata["issuer"], metadata["userinfo_endpoint"], keys)
    access = resource_server.read(first["access_token"])
    mixed_up = refusal(resource_server.read, first["id_token"])
    # What has expired is refreshed by the library itself, before the next request.
    session.token["expires_at"] = 1
    session.get(metadata["userinfo_endpoint"]).raise_for_status()
    refreshed = dict(session.token)
    introspect = lambda: session.introspect_token(
        metadata["introspection_endpoint"], token=refreshed["access_token"], token_type_hint="access_token").json()
    introspected = introspect()
    revoked = session.revoke_token(
        metadata["revocation_endpoint"], token=refreshed["refresh_token"], token_type_hint="refresh_token")
    after_revocation = introspect()

    public = {"client_id": asked["publicId"], "token_endpoint_auth_method": "none"}
    single_page, public_claims, *_ = code_flow(metadata, keys, visitor, **public)

    machine = {"client_id": asked["machineId"], "client_secret": asked["machineSecret"]}
    own = OAuth2Client(**machine, scope=asked["machineScope"], token_endpoint_auth_method="client_secret_post")
    own_token = own.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    return {
        "claims": claims,
        "wrongNonce": wrong_nonce,
        "userinfo": userinfo,
        "access": {name: access[name] for name in ("username", "version", "client_id", "token_use")},
        "mixedUp": mixed_up,
        "replaced": [name for name in ("access_token", "refresh_token") if refreshed[name] != first[name]],
        "introspected": introspected,
        "revoked": revoked.status_code,
        "afterRevocation": after_revocation,
        "refused": refusal(session.refresh_token, metadata["token_endpoint"], refreshed["refresh_token"]),
        "usedTwice": refusal(
            session.fetch_token, metadata["token_endpoint"], authorization_response=back, code_verifier=verifier),
        "public": {"sub": public_claims["sub"], "userinfo": single_page.get(metadata["userinfo_endpoint"]).json()["sub"]},
        "machine": {"scope": own_token["scope"], "expires_in": own_token["expires_in"]},
    }


def application():
    """An application with authlib's client for Starlette, which keeps state, nonce and the verifier of PKCE in its session."""
    oauth = OAuth()
    oauth.register(
        "pool",
        client_id=asked["clientId"],
        client_secret=asked["clientSecret"],
        server_metadata_url=METADATA_URL,
        client_kwargs={
            "scope": SCOPE,
            "code_challenge_method": "S256",
            "token_endpoint_auth_method": "client_secret_post",
        },
    )

    async def login(request):
        return await oauth.pool.authorize_redirect(request, asked["redirectUri"])

    async def callback(request):
        token = await oauth.pool.authorize_access_token(request)
        userinfo = await oauth.pool.userinfo(token=token)
        request.session["id_token"] = token["id_token"]
        return JSONResponse({"claims": token["userinfo"], "userinfo": userinfo})

    async def logout(request):
        hint = request.session.pop("id_token")
        return await oauth.pool.logout_redirect(request, asked["postLogoutRedirectUri"], id_token_hint=hint)

    async def bye(request):
        state = await oauth.pool.validate_logout_response(request)
        return JSONResponse(state)

    routes = [Route("/login", login), Route("/cb", callback), Route("/logout", logout), Route("/bye", bye)]
    return Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, secret_key="a key of the tests")])


async def with_starlette():
    visitor = Visitor()
    base = urllib.parse.urljoin(asked["redirectUri"], "/")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(application()), base_url=base) as at_application:
        sent = (await at_application.get("/login")).headers["location"]
        back = await asyncio.to_thread(visitor.sign_in, sent)
        seen = (await at_application.get(back)).raise_for_status().json()
        # Who is signed in is not asked again.
        again = visitor.get((await at_application.get("/login")).headers["location"]).headers["location"]
        (await at_application.get(again)).raise_for_status()
        out = visitor.get((await at_application.get("/logout")).headers["location"])
        while out.is_redirect and not out.headers["location"].startswith(asked["postLogoutRedirectUri"]):
            out = visitor.get(urllib.parse.urljoin(str(out.url), out.headers["location"]))
        bye = (await at_application.get(out.headers["location"])).raise_for_status().json()
        # The session at the pool has ended, too.
        page = visitor.get((await at_application.get("/login")).headers["location"])
        return {**seen, "bye": bye, "asksForThePassword": 'name="password"' in page.text}


if __name__ == "__main__":
    ways = {"session": with_session, "starlette": lambda: asyncio.run(with_starlette())}
    print(json.dumps(ways[sys.argv[1]]()))
