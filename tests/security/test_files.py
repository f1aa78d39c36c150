"""What is named as a file is one: no pipe is waited for, no device is read."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli

COMMANDS = {
    "replay": ("webhooks", "replay", "{}"),
    "import": ("usage", "import", "{}"),
    "rates": ("rates", "update", "--from={}"),
    "laravel": ("import", "laravel", "sqlite:///{}"),
    "config": ("plans", "list", "--config={}"),
    "log": ("plans", "list", "--log-file={}"),
    "html": ("usage", "report", "--html={}"),
}


@pytest.fixture
def no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of what is no regular file: pipes, devices, links to them, a socket, a folder."""
    os.mkfifo("pipe")
    Path("to-pipe").symlink_to("pipe")
    Path("to-device").symlink_to("/dev/zero")
    Path("folder").mkdir()
    Path("circle").symlink_to("circle")
    monkeypatch.chdir(tmp_path)  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        reader, writer = os.pipe()
        names = ["pipe", "to-pipe", "to-device", "/dev/zero", "socket", f"/dev/fd/{reader}"]
        yield [*names, "folder", "circle"]
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_no_regular_file_is_refused_at_once(
    name: str, cli: Cli, no_files: list[str]
) -> None:
    for path in no_files:
        if name == "replay" and path == "folder":
            continue  # its files are taken
        told = cli(*(word.format(path) for word in COMMANDS[name]))
        assert told.code in (1, 2, 4), (path, told)
        assert told.out == "", (path, told)
        assert path in told.err, (path, told)


def test_a_file_that_becomes_a_pipe_after_it_was_looked_at_is_not_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from aimeter_cli.errors import InvalidInput
    from aimeter_cli.settings import files

    os.mkfifo("swapped")
    monkeypatch.setattr("os.path.exists", lambda _: False)
    with pytest.raises(InvalidInput, match="swapped is not a regular file"):
        files.open_regular("swapped")


def test_new_files_of_ours_are_their_owners_alone(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = os.umask(0)
    try:
        monkeypatch.setenv("AI_METERING_DATABASE_URL", "sqlite:///new.db")
        assert cli("db", "upgrade", "--log-file=log").code == 0
        assert cli("plans", "list", "--log-file=log").code == 0
        assert cli("db", "backup", "backup.db").code == 0
    finally:
        os.umask(before)
    made = ("log", "new.db", "new.db-wal", "new.db-shm", "backup.db")
    modes = {name: Path(name).stat().st_mode & 0o777 for name in made if Path(name).exists()}
    assert {"log", "new.db", "backup.db"} <= modes.keys()
    assert set(modes.values()) == {0o600}, modes
