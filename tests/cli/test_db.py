"""``aimeter db mark-restored`` and ``mark-copy``, as an operator types them."""

from __future__ import annotations

import pytest

from tests.conftest import Cli


@pytest.mark.parametrize("command", ["mark-restored", "mark-copy"])
def test_off_a_terminal_it_wants_a_yes(cli: Cli, command: str) -> None:
    result = cli("db", command)
    assert result.code == 2
    assert "--yes" in result.err


def test_a_restore_says_what_will_be_looked_up(cli: Cli) -> None:
    told = cli("db", "mark-restored", "--yes", "--format", "json").json
    assert told.keys() == {"restored_at", "items", "overages"}
    assert (told["items"], told["overages"]) == (0, 0)


def test_a_copy_has_another_id_and_is_paused(cli: Cli) -> None:
    before = cli("sync", "status", "--format", "json").json
    rehearsed = cli("db", "mark-copy", "--dry-run")
    assert (rehearsed.code, "nothing was changed" in rehearsed.err) == (0, True)
    assert cli("sync", "status", "--format", "json").json == before
    told = cli("db", "mark-copy", "--yes", "--format", "json").json
    after = cli("sync", "status", "--format", "json").json
    assert (after["install_id"], after["is_paused"]) == (told["install_id"], True)
    assert after["install_id"] != before["install_id"]
