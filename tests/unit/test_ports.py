"""Blocks of ports: exclusive, given back with the process, named when taken."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from labkit import ports
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
    code = "from labkit import ports; b = ports.reserve(); print(b.first, flush=True); input()"
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


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
