# SPDX-License-Identifier: Apache-2.0
"""Looks around from the inside: passes if the tests are wrapped as `--preset test` promises."""

import fcntl
import os
import resource
import socket
import time
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "directory",
    ["/tmp", "/var/tmp", "/dev/shm", os.environ["HOME"]],
    ids=["tmp", "var-tmp", "dev-shm", "home"],
)
def test_is_empty(directory):
    """The source tree may lie below the directory, nothing else does."""
    tree = Path.cwd()
    assert [path for path in Path(directory).iterdir() if path not in (tree, *tree.parents)] == []


def test_host_name():
    assert socket.gethostname() == "test"


def test_network():
    assert [name for _, name in socket.if_nameindex()] == ["lo"]


def test_limits():
    assert resource.getrlimit(resource.RLIMIT_NPROC)[0] <= 4096
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] <= 8 << 30


def test_source_tree_is_writable():
    Path("written").write_text("by a test")


def test_daemon():
    """Leaves a daemon behind, which holds a lock."""
    if os.fork() == 0:
        os.setsid()
        with open("daemon.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.write("held")
            lock.flush()
            time.sleep(1000)
    lock = Path("daemon.lock")
    while not lock.exists() or lock.read_text() != "held":
        time.sleep(0.01)
