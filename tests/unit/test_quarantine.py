"""Ports of ended calls are kept out of use."""

import socket

import pytest

from sipagent.lab.agent_process import free_port_block
from sipagent.sip.quarantine import PortQuarantine

pytestmark = pytest.mark.unit

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.bind((HOST, port))
        except OSError:
            return False
        return True


def test_both_ports_are_held_for_their_time() -> None:
    port = free_port_block(2)
    quarantine = PortQuarantine(HOST, 5000, most_calls=4)
    quarantine.take(port, 0)
    quarantine.tick(10)
    assert (is_free(port), is_free(port + 1)) == (False, False)
    quarantine.tick(5009)
    assert not is_free(port)
    quarantine.tick(5010)
    assert (is_free(port), is_free(port + 1)) == (True, True)


def test_a_port_that_is_still_open_is_taken_when_it_closes() -> None:
    port = free_port_block(2)
    quarantine = PortQuarantine(HOST, 5000, most_calls=4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as library:
        library.bind((HOST, port))
        quarantine.take(port, 0)
        quarantine.tick(10)
    quarantine.tick(20)
    assert not is_free(port)
    quarantine.close()
    assert is_free(port)


def test_many_calls_free_the_oldest_ports_and_none_is_held_where_it_is_off() -> None:
    first = free_port_block(8)
    quarantine = PortQuarantine(HOST, 5000, most_calls=2)
    for n in range(4):
        quarantine.take(first + 2 * n, n)
        quarantine.tick(n)
    assert [is_free(first + 2 * n) for n in range(4)] == [True, True, False, False]
    quarantine.close()
    off = PortQuarantine(HOST, 0, most_calls=2)
    off.take(first, 0)
    off.tick(1)
    assert is_free(first)
