"""One HTTP/2 request over a connection that this process holds: the frames of a browser's first GET, and the answer's end.

Fields are sent as browsers send them: compressed, and put into the table that both ends keep (RFC 7541).
"""

import functools

GET_PATH, SCHEME_HTTPS = b"\x82", b"\x87"  # of the static table: `:method: GET`, `:scheme: https`
AUTHORITY, METHOD, PATH, COOKIE, USER_AGENT = 1, 2, 4, 32, 58
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
STATUS_200 = 0x88
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# Chromium's: HEADER_TABLE_SIZE, ENABLE_PUSH, INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE, and the connection's window.
CLIENT_SETTINGS = ((1, 65_536), (2, 0), (4, 6_291_456), (6, 262_144))
CLIENT_WINDOW = 15_663_105

# The characters of RFC 7541 appendix B by the length of their code. It is canonical: the codes follow from the lengths.
CODES = {
    5: "012aceiost", 6: " %-./3456789=A_bdfghlmnpru", 7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", 8: "&*,;XZ",
    10: '!"()?', 11: "'+|", 12: "#>", 13: "\0$@[]~", 14: "^}", 15: "<`{",
}


@functools.cache
def huffman_codes():
    found, code, before = {}, 0, 0
    for length, characters in CODES.items():
        code <<= length - before
        for character in characters:
            found[character] = format(code, f"0{length}b")
            code += 1
        before = length
    return found


def huffman(text):
    codes = huffman_codes()
    bits = "".join(codes[character] for character in text)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big") if bits else b""


def integer(value, prefix_bits, flags):
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([flags | value])
    found, value = bytearray([flags | most]), value - most
    while value >= 128:
        found.append(value % 128 | 128)
        value //= 128
    return bytes([*found, value])


def field(name_index, value):
    """A field whose name is in the static table, put into the dynamic one."""
    coded = huffman(value)
    return integer(name_index, 6, 0x40) + integer(len(coded), 7, 0x80) + coded


def literal(name, value):
    """A field that is put into no table and not compressed. `name` is an index of the static table, or the name itself."""
    coded = integer(name, 4, 0) if isinstance(name, int) else b"\0" + integer(len(name), 7, 0) + name.encode()
    return coded + integer(len(value), 7, 0) + value.encode()


def frame(kind, flags, stream, payload=b""):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def request(authority, cookie):
    """All that a client sends before the first answer comes."""
    settings = b"".join(name.to_bytes(2, "big") + value.to_bytes(4, "big") for name, value in CLIENT_SETTINGS)
    fields = GET_PATH + field(AUTHORITY, authority) + SCHEME_HTTPS + field(PATH, "/?first")
    fields += field(USER_AGENT, "vestibule-bench") + (field(COOKIE, cookie) if cookie else b"")
    return (PREFACE + frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, CLIENT_WINDOW.to_bytes(4, "big"))
            + frame(HEADERS, END_STREAM | END_HEADERS, 1, fields))


def without_size_updates(block):
    """A block of fields may begin with new sizes of the table (RFC 7541 §6.3)."""
    while block[0] & 0xE0 == 0x20:
        length = 1
        if block[0] & 0x1F == 0x1F:
            length = 2 + next(at for at, byte in enumerate(block[1:]) if byte < 0x80)
        block = block[length:]
    return block


def ask(connection, first, body_bytes):
    """Sends what `request` made, and reads until the answer has ended: 200 and as many bytes."""
    connection.sendall(first)
    received, body = b"", 0
    while True:
        while len(received) < 9 or len(received) < 9 + int.from_bytes(received[:3], "big"):
            piece = connection.recv(65536)
            if not piece:
                raise OSError("closed before the answer was whole")
            received += piece
        length, kind, flags = int.from_bytes(received[:3], "big"), received[3], received[4]
        payload, received = received[9:9 + length], received[9 + length:]
        if kind == SETTINGS and not flags & ACK:
            connection.sendall(frame(SETTINGS, ACK, 0))
        elif kind in (RST_STREAM, GOAWAY):
            raise OSError(f"the server ended it with {payload.hex()}")
        elif kind == HEADERS and without_size_updates(payload)[:1] != bytes([STATUS_200]):
            raise OSError(f"answered {payload[:16].hex()}")
        elif kind == DATA:
            body += len(payload) - (payload[0] + 1 if flags & PADDED else 0)
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            break
    if body != body_bytes:
        raise OSError(f"answered {body} bytes")
