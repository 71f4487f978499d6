# SPDX-License-Identifier: Apache-2.0
"""A client that costs next to nothing, so that little but the runner is measured.

One call at a time over one connection: just enough of HTTP/2 (RFC 9113) and gRPC for that. Settings and
headers of the server are not looked at, and an answer without a message is an error.
"""

import socket
import struct

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
ACK = END_STREAM = 1
END_HEADERS = 4


def frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header(name, value):
    """A literal without a place in the table (RFC 7541, 6.2.2); both parts are short."""
    return bytes([0, len(name)]) + name + bytes([len(value)]) + value


class Connection:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.received = b""
        self.stream = -1
        window = struct.pack(">I", 2**31 - 2**16)
        self.socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0, b"")
            + frame(WINDOW_UPDATE, 0, 0, window))

    def read(self, count):
        while len(self.received) < count:
            more = self.socket.recv(65536)
            assert more, "the server has closed the connection"
            self.received += more
        part, self.received = self.received[:count], self.received[count:]
        return part

    def call(self, method, message):
        """The message that answers another one."""
        self.stream += 2
        headers = b"".join(header(*pair) for pair in [
            (b":method", b"POST"), (b":scheme", b"http"), (b":path", method),
            (b":authority", b"localhost"), (b"te", b"trailers"),
            (b"content-type", b"application/grpc")])
        self.socket.sendall(
            frame(HEADERS, END_HEADERS, self.stream, headers)
            + frame(DATA, END_STREAM, self.stream, struct.pack(">BI", 0, len(message)) + message))
        answer = b""
        while True:
            head = self.read(9)
            kind, flags, stream = struct.unpack(">xxxBBI", head)
            payload = self.read(int.from_bytes(head[:3], "big"))
            assert kind not in (RST_STREAM, GOAWAY), (kind, payload)
            if kind in (SETTINGS, PING) and not flags & ACK:
                self.socket.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
            elif kind == DATA:
                answer += payload
            if stream == self.stream and kind in (DATA, HEADERS) and flags & END_STREAM:
                assert answer, "the call has failed"
                return answer[5:]
