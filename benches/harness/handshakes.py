"""Many TLS handshakes: TLS 1.3 with X25519 and nothing else, full or resumed, from several processes.

A connection is connected, shaken hands on, and half closed; the client then reads until the server has closed too, so that
the server has seen the whole handshake and sent its tickets. No request is made. The client verifies no chain (that is its
own cost), but the server proves its key all the same.
"""

import multiprocessing
import socket
import ssl
import time

from harness.load import Done
from harness.process import LOOPBACK

CLIENTS = 4
TIMEOUT_SECONDS = 10


def client_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_ecdh_curve("X25519")  # a client that offers one group only: whoever answers has taken it
    return context


def connect(context, port, session=None):
    """A connection after its handshake."""
    plain = socket.create_connection((LOOPBACK, port), timeout=TIMEOUT_SECONDS)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(plain, server_hostname="localhost", session=session)


def session_of(context, port):
    """A session that may be resumed: the ticket comes after the handshake, and is read with the answer to a request."""
    with connect(context, port) as connection:
        connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n".encode())
        try:
            while connection.recv(4096):
                pass
        except OSError:
            pass  # closed without a word; the ticket came before
        if not connection.session.has_ticket:
            raise SystemExit(f"port {port}: no session ticket came")
        return connection.session


def cipher(port):
    """What is negotiated."""
    with connect(client_context(), port) as connection:
        return connection.cipher()[0]


def run(port, *, resumed, seconds, clients=CLIENTS):
    """As many handshakes, one after the other in each of `clients` processes, as they can; all full, or all resumed."""
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=_client, args=(queue, port, resumed, seconds), daemon=True) for _ in range(clients)]
    for child in children:
        child.start()
    found = [queue.get(timeout=seconds + 60) for _ in children]
    for child in children:
        child.join()
    if failures := [one for one in found if isinstance(one, str)]:
        raise SystemExit(f"handshakes on port {port}: {failures[0]}")
    return Done(sum(count for count, _ in found), max(took for _, took in found))


def _client(queue, port, resumed, seconds):
    try:
        context = client_context()
        session = session_of(context, port) if resumed else None
        count, began = 0, time.monotonic()
        while time.monotonic() < began + seconds:
            connection = connect(context, port, session)
            if connection.session_reused != resumed:
                raise OSError(f"handshake {count} was{'' if connection.session_reused else ' not'} resumed")
            # Not `connection.shutdown`: the half close is of the socket, below TLS.
            socket.socket.shutdown(connection, socket.SHUT_WR)
            while socket.socket.recv(connection, 65536):
                pass
            connection.close()
            count += 1
        queue.put((count, time.monotonic() - began))
    except (OSError, SystemExit) as error:
        queue.put(str(error))
