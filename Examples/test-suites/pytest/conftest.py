# SPDX-License-Identifier: Apache-2.0
"""A server for the whole session, on a fixed port of lo."""

import os
import socket
import time
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def server():
    """Waits until each worker's server listens, so that all of them do at the same time."""
    with socket.create_server(("127.0.0.1", 8080)):
        signs = Path("listens")
        signs.mkdir(exist_ok=True)
        (signs / os.environ.get("PYTEST_XDIST_WORKER", "alone")).touch()
        deadline = time.monotonic() + 10
        while len(list(signs.iterdir())) < int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)):
            assert time.monotonic() < deadline, "another worker does not listen"
            time.sleep(0.01)
        yield
