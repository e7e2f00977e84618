"""Verifies a standard-format `x-amzn-oidc-data` with PyPI's PyJWT, which nobody here wrote, through our JWKS.

Standard input, JSON: {"token", "jwks_url", "audience", "issuer", "ca_file", "algorithms"}
    ca_file     PEM of the authority that signed that host's certificate; absent for plain HTTP
    algorithms  ["ES256"] when absent
Standard output, one JSON line: {"ok": true, "header": {…}, "claims": {…}} with exit code 0, or
    {"ok": false, "error": "InvalidAudienceError", "message": "…"} with exit code 1.
"""

import json
import ssl
import sys

import jwt

asked = json.load(sys.stdin)
context = ssl.create_default_context(cafile=asked["ca_file"]) if asked.get("ca_file") else None
try:
    keys = jwt.PyJWKClient(asked["jwks_url"], timeout=5, ssl_context=context)
    claims = jwt.decode(
        asked["token"],
        keys.get_signing_key_from_jwt(asked["token"]),
        algorithms=asked.get("algorithms", ["ES256"]),
        audience=asked["audience"],
        issuer=asked["issuer"],
        options={"require": ["exp", "iat", "iss", "aud", "sub"]},
    )
except Exception as error:  # every way of failing is an answer here
    print(json.dumps({"ok": False, "error": type(error).__name__, "message": str(error)}))
    sys.exit(1)
print(json.dumps({"ok": True, "header": jwt.get_unverified_header(asked["token"]), "claims": claims}))
