"""A mail server that takes everything and keeps nothing, in a process of its own."""

import asyncio
import os
import sys

from harness.process import LOOPBACK, Process


def sink(directory, port):
    """The process, not started. It speaks SMTP without TLS, which Vestibule takes from a loopback address."""
    environment = {"PYTHONPATH": os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "PYTHONDONTWRITEBYTECODE": "1"}
    return Process([sys.executable, "-m", "harness.mail", str(port)], directory, "mail", port, environment)


async def _serve(reader, writer):
    """RFC 5321, as far as a client has to see it."""
    writer.write(b"220 mail.test\r\n")
    is_data = False
    while line := await reader.readline():
        word = line[:4].upper()
        if is_data:
            is_data = line != b".\r\n"
            if is_data:
                continue
            writer.write(b"250 taken\r\n")
        elif word == b"DATA":
            is_data = True
            writer.write(b"354 go on\r\n")
        elif word == b"QUIT":
            writer.write(b"221 bye\r\n")
            break
        else:
            writer.write(b"250 mail.test\r\n")
        await writer.drain()
    writer.close()


async def _listen(port):
    server = await asyncio.start_server(_serve, LOOPBACK, port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_listen(int(sys.argv[1])))
