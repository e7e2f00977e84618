"""A mail server that nobody here wrote (aiosmtpd). Prints the port that it listens on, then each mail as JSON.

Arguments: smtps, starttls or plain; the port or 0; with TLS, the files of the certificate and its key. Whoever signs in has the name `pool` and the
password `hunter2`, and must sign in. A recipient `busy@…` is refused for now, and `gone@…` for ever.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("busy@"):
            return "451 4.7.1 come back later"
        if address.startswith("gone@"):
            return "550 5.1.1 nobody has this address"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = lambda kind: mail.get_body(preferencelist=(kind,)).get_content()
        told = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "user": session.auth_data,
            "headers": {name: value for name, value in mail.items()},
            "defects": [str(defect) for defect in mail.defects],
            "text": part("plain"),
            "html": part("html"),
        }
        print(json.dumps(told), flush=True)
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    right = (data.login, data.password) == (b"pool", b"hunter2")
    return AuthResult(success=right, handled=False, auth_data=data.login.decode())


async def main(kind, port, *files):
    tls = None
    if files:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*files)

    def server():
        return SMTP(
            Handler(),
            hostname="mail.test",
            authenticator=authenticate,
            auth_required=True,
            # With TLS from the start, the library does not know of it.
            auth_require_tls=kind == "starttls",
            require_starttls=kind == "starttls",
            tls_context=tls if kind == "starttls" else None,
        )

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server, "127.0.0.1", int(port), ssl=tls if kind == "smtps" else None)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


asyncio.run(main(*sys.argv[1:]))
