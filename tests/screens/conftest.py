"""One gallery for all workers of a run: whoever comes first makes its worlds."""

from __future__ import annotations

import fcntl
import os

import pytest

from tests.screens.screens import Gallery


@pytest.fixture(scope="session")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Gallery:
    """Where the commands are run: in copies of worlds that all workers share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "gallery.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        gallery = Gallery(shared / "gallery", copies=base)
        gallery.make()
    return gallery
