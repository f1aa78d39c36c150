"""One declaration serves every format; whole outputs."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import replace
from typing import Any

import pytest

from aimeter_cli.render.cells import for_people
from aimeter_cli.render.console import Console
from aimeter_cli.render.noun import COUNT, SERIAL, Column
from aimeter_cli.render.output import FORMATS, Format, Output
from tests.render.sample import EMPTY, HOSTILE, ORDINARY, PART, SAMPLE

ROWS = [ORDINARY, EMPTY, HOSTILE]


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Any:
    def render(format: Format | None, method: str, *values: Any, **options: Any) -> str:  # noqa: A002
        getattr(Output(Console(), format), method)(SAMPLE, *values, **options)
        return capsys.readouterr().out

    return render


TABLES: dict[Format, str] = {
    "plain": """\
  ID  Name                       Limit        Amount    Rate  Since                 On    Status    Tags
   1  Ada                    1,000,000  1,234.50 USD   0.850  2026-11-01T12:00:00Z  yes   active    a, b
   2  -                      unlimited             -       -  -                     -     -         -
  -3  =1|[red]\\x1b[2J\\u202e  1,000,000  1,234.50 USD   0.850  2026-11-01T12:00:00Z  yes   active    a, b
""",  # noqa: E501
    "markdown": """\
|   ID | Name                   |     Limit |       Amount |   Rate | Since                | On   | Status   | Tags   |
|-----:|:-----------------------|----------:|-------------:|-------:|:---------------------|:-----|:---------|:-------|
|    1 | Ada                    | 1,000,000 | 1,234.50 USD |  0.850 | 2026-11-01T12:00:00Z | yes  | active   | a, b   |
|    2 | -                      | unlimited |            - |      - | -                    | -    | -        | -      |
|   -3 | =1\\|[red]\\x1b[2J\\u202e | 1,000,000 | 1,234.50 USD |  0.850 | 2026-11-01T12:00:00Z | yes  | active   | a, b   |
""",  # noqa: E501
    "csv": """\
id,name,limit,amount,money,rate,since,on,status,tags
1,Ada,1000000,1234.500000000,usd,0.850,2026-11-01T12:00:00.250000Z,true,active,"a, b"
2,,,,usd,,,,,
-3,'=1|[red]\\x1b[2J\\u202e,1000000,1234.500000000,usd,0.850,2026-11-01T12:00:00.250000Z,true,active,"a, b"
""",  # noqa: E501
    "tsv": """\
id\tname\tlimit\tamount\tmoney\trate\tsince\ton\tstatus\ttags
1\tAda\t1000000\t1234.500000000\tusd\t0.850\t2026-11-01T12:00:00.250000Z\ttrue\tactive\ta, b
2\t\t\t\tusd\t\t\t\t\t
-3\t'=1|[red]\\x1b[2J\\u202e\t1000000\t1234.500000000\tusd\t0.850\t2026-11-01T12:00:00.250000Z\ttrue\tactive\ta, b
""",  # noqa: E501
}


@pytest.mark.parametrize("format", ["plain", "markdown", "csv", "tsv"])
def test_a_list_is_a_table(output: Any, format: Format) -> None:  # noqa: A002
    assert output(format, "rows", ROWS) == TABLES[format]


def test_a_rich_table_shows_the_same_cells(output: Any) -> None:
    lines = output("table", "rows", ROWS).splitlines()
    assert len(lines) == 5
    assert lines[0].split() == TABLES["plain"].splitlines()[0].split()
    assert "=1|[red]\\x1b[2J\\u202e" in lines[4]
    assert "\x1b" not in "".join(lines)


OBJECT: dict[str, Any] = {
    "id": 1,
    "name": "Ada",
    "limit": 1_000_000,
    "amount": "1234.500000000",
    "money": "usd",
    "rate": "0.850",
    "since": "2026-11-01T12:00:00.250000Z",
    "on": True,
    "status": "active",
    "tags": ["a", "b"],
    "meta": {"k": 1, "deep": {"x": [1]}},
    "parts": [{"n": 1, "name": "one"}, {"n": 2, "name": "two"}],
}
NOTHING: dict[str, Any] = {
    **dict.fromkeys(OBJECT),
    "id": 2,
    "money": "usd",
    "tags": [],
    "meta": {},
    "parts": [],
}


def test_json_holds_every_field_in_order(output: Any) -> None:
    text = output("json", "rows", [ORDINARY, EMPTY])
    assert json.loads(text) == [OBJECT, NOTHING]
    assert list(json.loads(text)[0]) == [column.name for column in SAMPLE.columns]


def test_json_lines_hold_one_object_each(output: Any) -> None:
    lines = output("jsonl", "rows", [ORDINARY, EMPTY]).splitlines()
    assert [json.loads(line) for line in lines] == [OBJECT, NOTHING]


def test_one_is_an_object_in_json_and_on_one_line_in_jsonl(output: Any) -> None:
    assert json.loads(output("json", "one", ORDINARY)) == OBJECT
    assert output("jsonl", "one", ORDINARY).count("\n") == 1


def test_one_is_lines_of_field_and_value_with_its_rows_below(output: Any) -> None:
    assert (
        output("plain", "one", ORDINARY)
        == """\
ID      1
Name    Ada
Limit   1,000,000
Amount  1,234.50 USD
Money   usd
Rate    0.850
Since   2026-11-01T12:00:00Z
On      yes
Status  active
Tags    a, b
Meta    k=1, deep={"x": [1]}

  N  Name
  1  one
  2  two
"""
    )


def test_one_is_a_header_and_a_row_in_csv(output: Any) -> None:
    header, row = output("csv", "one", ORDINARY).splitlines()
    assert header == "id,name,limit,amount,money,rate,since,on,status,tags,meta"
    assert row.startswith("1,Ada,1000000,1234.500000000,usd,0.850,")


@pytest.mark.parametrize(
    ("format", "out", "err"),
    [
        ("table", "", "Nothing here. Make one.\n"),
        ("plain", "", "Nothing here. Make one.\n"),
        ("markdown", "", "Nothing here. Make one.\n"),
        ("csv", "id,name,limit,amount,money,rate,since,on,status,tags\n", ""),
        ("tsv", "id\tname\tlimit\tamount\tmoney\trate\tsince\ton\tstatus\ttags\n", ""),
        ("json", "[]\n", ""),
        ("jsonl", "", ""),
    ],
)
def test_an_empty_list_is_empty_and_says_what_to_do_to_people(
    format: Format,  # noqa: A002
    out: str,
    err: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Output(Console(), format).rows(SAMPLE, [], empty="Nothing here. Make one.")
    assert capsys.readouterr() == (out, err)


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=cmd()", "'=cmd()"), ("+1+1", "'+1+1"), ("-a", "'-a"), ("@x", "'@x"),
        ("\tx", "'\\tx"), ("\rx", "'\\rx"), ("-5", "-5"), ("+5.0", "+5.0"), ("a=b", "a=b"),
    ],
)  # fmt: skip
def test_no_spreadsheet_finds_a_formula(output: Any, cell: str, shown: str) -> None:
    row = {**EMPTY, "who": {"name": cell}}
    assert output("csv", "rows", [row]).splitlines()[1].split(",")[1] == shown


def test_a_terminal_gets_a_table_and_a_pipe_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Output(Console()).format == "plain"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert Output(Console()).format == "table"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_narrow_terminal_folds_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("NO_COLOR", "1")
    Output(Console(), "table").rows(SAMPLE, [ORDINARY])
    assert max(map(len, terminal.getvalue().splitlines())) <= 60
    assert "…" not in terminal.getvalue()


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_renders_every_kind_of_row(output: Any, format: Format) -> None:  # noqa: A002
    for row in ROWS:
        assert output(format, "one", row)


@pytest.mark.parametrize(
    ("no_color", "env", "is_terminal", "colored"),
    [
        (False, {}, True, True),
        (False, {}, False, False),
        (True, {}, True, False),
        (False, {"NO_COLOR": "1"}, True, False),
        (False, {"NO_COLOR": ""}, True, True),
        (False, {"TERM": "dumb"}, True, False),
        (False, {"FORCE_COLOR": "1"}, False, True),
        (False, {"FORCE_COLOR": "0"}, False, False),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        (True, {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour_follows_what_the_environment_says(
    no_color: bool,
    env: dict[str, str],
    is_terminal: bool,
    colored: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stdout = Terminal() if is_terminal else io.StringIO()
    monkeypatch.setattr(sys, "stdout", stdout)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    Output(Console(no_color=no_color), "table").rows(SAMPLE, [ORDINARY])
    assert ("\x1b[32mactive" in stdout.getvalue()) is colored
    assert ("\x1b[1m" in stdout.getvalue()) is colored


def test_lines_of_our_own_break_between_words_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    for stdout, shown in (
        (io.StringIO(), "\nOf 2026-11-01 to 2026-12-01: none\n"),
        (Terminal(), "\nOf 2026-11-01 to\n2026-12-01: none\n"),
    ):
        monkeypatch.setattr(sys, "stdout", stdout)
        Output(Console(), "table").text("\nOf 2026-11-01 to 2026-12-01: none")
        assert stdout.getvalue() == shown


def test_tables_stand_a_line_apart(capsys: pytest.CaptureFixture[str]) -> None:
    out = Output(Console(), "plain")
    out.rows(SAMPLE, [ORDINARY])
    out.rows(SAMPLE, [ORDINARY])
    out.text("a line")
    out.rows(SAMPLE, [ORDINARY])
    lines = capsys.readouterr().out.splitlines()
    assert [n for n, line in enumerate(lines) if not line] == [2]


def test_columns_for_people_are_those_of_tables_alone(capsys: pytest.CaptureFixture[str]) -> None:
    total = Column("total", COUNT, get=lambda row: row["id"] + 1)
    noun = replace(PART, columns=(Column("id", SERIAL), Column("name")), people=(total,))
    row = {"id": 1000, "name": "one"}
    formats: tuple[Format, ...] = ("plain", "csv", "jsonl")
    shown = {}
    for kind in formats:
        Output(Console(), kind).rows(noun, [row])
        shown[kind] = capsys.readouterr().out
    assert shown == {
        "plain": "  Total\n  1,001\n",
        "csv": "id,name\n1000,one\n",
        "jsonl": '{"id": 1000, "name": "one"}\n',
    }


def test_a_number_that_names_a_row_has_no_separators() -> None:
    assert for_people(SAMPLE, Column("id", SERIAL), {"id": 12345}) == "12345"
    assert for_people(SAMPLE, Column("id", COUNT), {"id": 12345}) == "12,345"
