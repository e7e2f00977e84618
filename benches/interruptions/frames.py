"""Frames of WebSockets (RFC 6455 §5.2), short and whole ones only."""

import base64
import hashlib
import os

BINARY, CLOSE = 2, 8
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
GOING_AWAY = 1001


def accept(key):
    """`Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (§4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


def frame(opcode, payload, is_client):
    """A frame of less than 64 KiB; a client masks it."""
    length = len(payload)
    masked = 0x80 if is_client else 0
    head = bytes([0x80 | opcode, masked | length]) if length < 126 else bytes([0x80 | opcode, masked | 126]) + length.to_bytes(2, "big")
    if not is_client:
        return head + payload
    mask = os.urandom(4)
    return head + mask + xor(payload, mask)


def read(file):
    """The next frame's opcode and payload. Raises `EOFError` where there is none."""
    first, second = exactly(file, 2)
    length = second & 0x7F
    if length == 126:
        length = int.from_bytes(exactly(file, 2), "big")
    mask = exactly(file, 4) if second & 0x80 else bytes(4)
    return first & 0xF, xor(exactly(file, length), mask)


def exactly(file, count):
    found = file.read(count)
    if len(found) < count:
        raise EOFError("the connection has ended")
    return found


def xor(payload, mask):
    repeated = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")
