"""Blocks of ports: exclusive, given back with the process, named when taken."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys

import pytest

from labkit.jupyter import server as jupyter
from labkit.processes import ports
from labkit.waiting import wait_until


def test_two_blocks_never_overlap():
    one, two = ports.reserve(), ports.reserve()
    try:
        taken = {one.take() for _ in range(10)} | {two.take() for _ in range(10)}
        assert len(taken) == 20
        assert abs(one.first - two.first) >= ports.BLOCK_SIZE
    finally:
        one.close()
        two.close()


def test_a_block_is_free_again_when_its_owner_is_killed():
    code = "from labkit.processes import ports\n"
    code += "b = ports.reserve(); print(b.first, flush=True); input()"
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    first = int(child.stdout.readline())
    held = ports.reserve(prefer=first)
    assert held.first != first, "the other process still holds this block"
    held.close()
    child.kill()
    child.communicate()
    again = ports.reserve(prefer=first)
    # Another test may have been quicker; then that one holds it, and it was free for it.
    assert again.first == first or not _bindable(first)
    again.close()


def test_a_used_port_is_not_handed_out():
    block = ports.reserve()
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", block.first + 1))
        stranger.listen()
        assert block.take() == block.first + 2
    block.close()


def test_a_block_that_is_used_up_says_so():
    block = ports.reserve()

    def take_all():
        return [block.take() for _ in range(ports.BLOCK_SIZE)]

    with pytest.raises(ports.NoPortsLeft):
        take_all()
    block.close()


def test_a_taken_port_names_its_holder():
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with pytest.raises(ports.PortTaken) as caught:
            ports.require_free(port, "appPort of web")
    assert str(os.getpid()) in caught.value.found
    assert str(port) in caught.value.found
    wait_until(lambda: ports.is_free(port))
    assert ports.require_free(port, "appPort of web") == port


@pytest.mark.parametrize("port", [-1, 0, 65536, 99999, 10**30])
def test_a_number_that_is_no_port_is_said_to_be_none(port):
    with pytest.raises(ports.PortOutOfRange) as caught:
        ports.require_free(port, f"appPort {port} of web, named by the run file")
    assert str(caught.value).startswith(f"port-out-of-range: {port} is not a port")
    assert "65535" in caught.value.found
    with pytest.raises(ports.PortOutOfRange) as caught:
        jupyter.chosen_port(port)
    assert "--port" in caught.value.fix


def test_a_port_that_takes_rights_is_not_said_to_be_held_by_somebody(monkeypatch):
    monkeypatch.setattr(ports, "_refusal", lambda port: errno.EACCES)
    for ask in (
        lambda: ports.require_free(80, "appPort 80 of web"),
        lambda: jupyter.chosen_port(80),
    ):
        with pytest.raises(ports.PortNotAllowed) as caught:
            ask()
        assert "port 80" in caught.value.title
        assert "above 1023" in caught.value.fix


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
