"""SRV records: read from answers as servers write them, broken ones refused."""

import socket
import struct
import threading
from pathlib import Path

import pytest

from sipagent.errors import PacketError
from sipagent.sip.srv import Server, nameserver, parse_answer, servers_of

pytestmark = pytest.mark.unit

QUESTION = b"\x04_sip\x04_udp\x07example\x03com\0"


def answer(number: int, records: list[tuple[int, int, int, bytes]]) -> bytes:
    """Names in the records may point: example.com stands at offset 22."""
    data = (
        struct.pack("!6H", number, 0x8180, 1, len(records) + 1, 0, 0) + QUESTION + struct.pack("!2H", 33, 1)
    )
    data += b"\xc0\x0c" + struct.pack("!2HIH", 5, 1, 60, 2) + b"\xc0\x16"  # a CNAME, to be passed over
    for priority, weight, port, name in records:
        body = struct.pack("!3H", priority, weight, port) + name
        data += b"\xc0\x0c" + struct.pack("!2HIH", 33, 1, 60, len(body)) + body
    return data


def test_best_server_comes_first_and_pointers_are_followed() -> None:
    data = answer(
        7, [(20, 0, 5060, b"\x01b\xc0\x16"), (10, 5, 5070, b"\x01a\xc0\x16"), (10, 9, 5071, b"\xc0\x16")]
    )
    assert parse_answer(data, 7) == [
        Server(10, 9, 5071, "example.com"),
        Server(10, 5, 5070, "a.example.com"),
        Server(20, 0, 5060, "b.example.com"),
    ]


def test_broken_answers_are_refused() -> None:
    good = answer(7, [(20, 0, 5060, b"\x01b\xc0\x16")])
    for length in range(len(good)):
        with pytest.raises(PacketError):
            parse_answer(good[:length], 7)
    with pytest.raises(PacketError, match="not the answer"):
        parse_answer(good, 8)
    circle = struct.pack("!6H", 7, 0x8180, 1, 0, 0, 0) + b"\xc0\x0c"
    with pytest.raises(PacketError, match="circles"):
        parse_answer(circle, 7)


def test_question_is_asked_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)

        def serve() -> None:
            question, client = server.recvfrom(512)
            assert QUESTION in question
            server.sendto(answer(int.from_bytes(question[:2], "big"), [(1, 1, 5060, b"\xc0\x16")]), client)

        thread = threading.Thread(target=serve)
        thread.start()
        found = servers_of("_sip._udp.example.com", server.getsockname())
        thread.join()
    assert [str(one) for one in found] == ["example.com:5060"]


def test_name_server_of_the_machine(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# x\nnameserver 2001:db8::1\nnameserver 192.0.2.53\n")
    assert nameserver(file) == ("192.0.2.53", 53)
    assert nameserver(tmp_path / "none") == ("127.0.0.1", 53)
