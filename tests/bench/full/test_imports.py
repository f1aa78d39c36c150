"""Imports at scale, in small."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlmodel import select

from aimeter_cli.db.engine import Database
from aimeter_cli.models.usages import UsageCounter
from tests.bench.fixtures import write_usage
from tests.bench.full.imports import LINE_BYTES, memory_of_keyed, memory_of_keyless, speed


def test_the_command_and_the_bare_copy_count_the_same_on_postgresql(
    tmp_path: Path, pg_database: Database
) -> None:
    source = tmp_path / "usage.jsonl"
    write_usage(source, lines=300, subscribers=100)
    url = pg_database.url.render_as_string(hide_password=False)
    told = speed(tmp_path, source, url, lines=300, pairs=1)
    assert told.better == "more"
    assert told.value > 0
    assert told.note.endswith("1 pairs, same counters")
    with pg_database.read() as session:
        assert sum(row.requests for row in session.exec(select(UsageCounter))) == 300


def test_the_memory_of_an_import_is_told_for_lines_with_keys_and_without(tmp_path: Path) -> None:
    [with_keys], [without] = memory_of_keyed(tmp_path, 1), memory_of_keyless(tmp_path, 1)
    assert with_keys.name == "usage import of 1 MB, lines with keys: memory"
    assert without.name == "usage import of 1 MB, without keys: memory"
    assert 20 < without.value < 200
    assert 20 < with_keys.value < 200


@pytest.mark.parametrize("has_keys", [True, False])
def test_lines_are_as_long_as_a_megabyte_is_counted_with(tmp_path: Path, has_keys: bool) -> None:
    file = tmp_path / "usage.jsonl"
    write_usage(file, lines=1000, subscribers=100, has_keys=has_keys)
    assert abs(file.stat().st_size / 1000 - LINE_BYTES[has_keys]) < 2
