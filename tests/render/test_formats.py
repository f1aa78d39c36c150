"""One declaration serves every format; whole outputs."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

import pytest

from aimeter_cli.render.console import Console
from aimeter_cli.render.output import FORMATS, Format, Output
from tests.render.sample import EMPTY, HOSTILE, ORDINARY, SAMPLE

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


@pytest.mark.parametrize(
    ("no_color", "env", "colored"), [(False, "", True), (True, "", False), (False, "1", False)]
)
def test_colour_is_for_terminals_that_want_it(
    no_color: bool, env: str, colored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("NO_COLOR", env)
    Output(Console(no_color=no_color), "table").rows(SAMPLE, [ORDINARY])
    assert ("\x1b[32mactive" in terminal.getvalue()) is colored


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
