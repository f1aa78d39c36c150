"""``aimeter usage report --html``: the page's file, and figures equal to those of other formats."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aimeter_cli.db.engine import Database
from aimeter_cli.services.reports.overview import name_of
from tests.cli.test_main_job import owe
from tests.conftest import Cli
from tests.render.html.reading import read

AT = ("--as-of", "2026-11-15T12:00:00Z")
REPORT = ("usage", "report", "--month", "2026-11", *AT)


@pytest.fixture
def owing(cli: Cli) -> Cli:
    owe(cli)
    return cli


def test_the_page_has_the_figures_of_json(owing: Cli, isolated: Path) -> None:
    made = owing(*REPORT, "--html", "page.html")
    assert (made.code, made.out) == (0, "")
    assert made.err == "The usage report is in page.html.\n"
    page = read((isolated / "page.html").read_text(encoding="utf-8"))
    values = {each.attributes["value"] for each in page.all("data")}
    report = owing(*REPORT, "--format", "json").json
    [overage] = owing("overages", "list", "--format", "json", *AT).json
    [total] = report["totals"]
    assert {total["cost"], total["charge"], overage["amount"], str(total["tokens"])} <= values
    assert total["charge"] == "10.000000000"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_dash_is_stdout_to_the_byte(terminal: bool, owing: Cli, isolated: Path) -> None:
    shown = owing(*REPORT, "--html", "-", terminal=terminal)
    assert (shown.code, shown.err) == (0, "")
    assert owing(*REPORT, "--html", "page.html").code == 0
    assert (isolated / "page.html").read_text(encoding="utf-8") == shown.out


def test_a_later_page_replaces_an_earlier_one_and_keeps_its_mode(cli: Cli, isolated: Path) -> None:
    file = isolated / "page.html"
    before = os.umask(0o027)
    try:
        assert cli(*REPORT, "--html", file).code == 0
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o640
    file.chmod(0o600)
    assert cli(*REPORT, "--html", file, "--billable", "user:9").code == 1
    assert cli(*REPORT, "--html", file).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in isolated.iterdir() if "partial" in each.name] == []


def test_another_file_is_replaced_only_if_somebody_agrees(cli: Cli, isolated: Path) -> None:
    file = isolated / "letters.html"
    file.write_text("<p>Dear reader</p>", encoding="utf-8")
    shown = cli(*REPORT, "--html", "letters.html")
    assert shown.code == 2
    assert "letters.html exists and is no usage report. Replace it?" in shown.err
    assert "Add --yes to agree." in shown.err
    assert file.read_text(encoding="utf-8") == "<p>Dear reader</p>"
    assert cli(*REPORT, "--html", "letters.html", "--yes").code == 0
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_link_is_followed(cli: Cli, isolated: Path) -> None:
    (isolated / "deep").mkdir()
    (isolated / "page.html").symlink_to(isolated / "deep" / "page.html")
    assert cli(*REPORT, "--html", "page.html").code == 0
    assert (isolated / "page.html").is_symlink()
    assert (isolated / "deep" / "page.html").is_file()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/dev/null", "--html: /dev/null is no file that can be written"),
        (".", "--html: . is no file that can be written"),
        ("missing/page.html", "--html: there is no folder"),
        ("circle", "--html: circle cannot be the name of a file"),
        ("x" * 300, "cannot be the name of a file: [Errno 36] File name too long"),
        ("a\0b", "--html: a\\x00b cannot be the name of a file"),
    ],
    ids=["device", "folder", "no-folder", "circle", "long", "nul"],
)
def test_what_cannot_be_a_file_is_wrong_usage(
    path: str, told: str, cli: Cli, isolated: Path
) -> None:
    (isolated / "circle").symlink_to("circle")
    shown = cli(*REPORT, "--html", path)
    assert shown.code == 2
    assert told in shown.err


def test_a_file_that_cannot_be_written_leaves_the_old_page(
    cli: Cli, isolated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = isolated / "page.html"
    assert cli(*REPORT, "--html", file).code == 0
    old = file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    shown = cli(*REPORT, "--html", file)
    assert (shown.code, shown.err) == (
        1, f"error: --html: cannot write {file}: No space left on device\n",
    )  # fmt: skip
    assert file.read_bytes() == old
    assert [each.name for each in isolated.iterdir() if "partial" in each.name] == []


def test_dimensions_are_not_for_a_page(cli: Cli) -> None:
    shown = cli(*REPORT, "--html", "page.html", "--by", "day")
    assert shown.code == 2
    assert "--by: --html shows days and models" in shown.err


def test_the_page_on_one_billable_tells_nothing_of_others(owing: Cli) -> None:
    owing("usage", "record", "--billable", "user:7", "--provider", "p", "--model", "theirs",
          "--input-tokens", 5, *AT)  # fmt: skip
    owing("sync", "pause", "--reason", "their incident")
    shown = owing(*REPORT, "--billable", "user:7", "--html", "-").out
    assert "theirs" in shown
    assert "user:42" not in shown
    assert "incident" not in shown
    assert "their incident" in owing(*REPORT, "--html", "-").out


def test_a_database_is_named_without_host_user_or_password() -> None:
    url = "postgresql+psycopg://meter:hunter2@db.example/billing?password=hunter3"
    assert name_of(Database(url)) == "billing"
