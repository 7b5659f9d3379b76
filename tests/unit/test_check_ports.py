"""Ports that are taken, foreign or private. Real sockets on loopback, ephemeral ports."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sipagent.cli.check_ports import bind_problem, holder_of, port_problems, rtp_problems
from sipagent.config.schema import Config, HostPort, LimitsConfig, ListenConfig, PortRange, RtpConfig

pytestmark = pytest.mark.peer

HOST = "127.0.0.1"


@pytest.fixture
def taken_udp() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        yield sock.getsockname()[1]


@pytest.fixture
def taken_tcp() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.bind((HOST, 0))
        sock.listen(1)
        yield sock.getsockname()[1]


def test_free_port_is_fine_and_free_again() -> None:
    assert bind_problem("udp", HOST, 0) == ""
    assert bind_problem("tcp", HOST, 0) == ""


def test_taken_ports_name_who_has_them(taken_udp: int, taken_tcp: int) -> None:
    me = f"(pid {os.getpid()})"
    config = Config(listen=ListenConfig(udp=HostPort(HOST, taken_udp), tcp=HostPort(HOST, taken_tcp)))
    found = dict(port_problems(config))
    assert set(found) == {"listen.udp", "listen.tcp"}
    assert f"udp port {taken_udp} is in use by " in found["listen.udp"]
    assert me in found["listen.udp"]
    assert me in found["listen.tcp"]
    assert found["listen.tcp"].endswith("; stop it or choose another port")


def test_a_socket_on_every_interface_counts(taken_udp: int) -> None:
    assert "is in use" in bind_problem("udp", "0.0.0.0", taken_udp)


def test_udp_and_tcp_do_not_disturb_each_other(taken_tcp: int) -> None:
    assert str(os.getpid()) not in holder_of("udp", taken_tcp)


def test_address_of_another_machine() -> None:
    assert "this machine has no address 192.0.2.1; give" in bind_problem("udp", "192.0.2.1", 0)


def test_rtp_range_needs_room_for_the_calls() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("0.0.0.0", 0))
        port = sock.getsockname()[1]
        config = Config(rtp=RtpConfig(port_range=PortRange(port, port + 1)), limits=LimitsConfig(max_calls=1))
        found = list(rtp_problems(config))
    assert len(found) == 1
    assert f"room for 0 of 1 calls in {port}-{port + 1}: udp port {port} is in use" in found[0][1]


def test_rtp_range_with_some_taken_ports_is_fine() -> None:
    free = replace(Config(), rtp=RtpConfig(port_range=PortRange(21000, 21199)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("0.0.0.0", 21000))
        assert list(rtp_problems(free)) == []
