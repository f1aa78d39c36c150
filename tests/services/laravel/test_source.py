"""What can be read from, what cannot, and that no password is told."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest
from sqlalchemy.dialects import mysql

from aimeter_cli.db.engine import Database
from aimeter_cli.errors import AimeterError, ConfigurationError, DatabaseError, InvalidInput
from aimeter_cli.services.laravel.schema import PLANS, USAGES
from aimeter_cli.services.laravel.source import Source, open_source, rows_after, safe_url
from tests.services.laravel.moving import move
from tests.services.laravel.shop import Shop


def lacks(url: str) -> list[str]:
    with open_source(url, UTC) as source:
        return source.lacks


@pytest.mark.parametrize(
    ("url", "kind", "message"),
    [
        ("shop.db", InvalidInput, "this is not a database URL"),
        ("sqlite:///nowhere.db", InvalidInput, "nowhere.db is not a file"),
        ("sqlite://", InvalidInput, "is not a file"),
        ("mysql://u:hush@h/n", ConfigurationError, "the driver for mysql+pymysql is not installed"),
        (
            "postgres://u:hush@127.0.0.1:1/n",
            DatabaseError,
            "postgresql+psycopg://u:***@127.0.0.1:1/n",
        ),
    ],
)
def test_what_cannot_be_read_is_told_without_its_password(
    url: str, kind: type[AimeterError], message: str
) -> None:
    with pytest.raises(kind) as refused:
        lacks(url)
    told = f"{refused.value.message} {refused.value.hint}"
    assert message in told
    assert "hush" not in told


def test_a_shown_url_has_neither_password_nor_options() -> None:
    assert safe_url("pgsql://u:hush@h/n?password=hush") == "postgresql+psycopg://u:***@h/n"


def test_a_database_of_aimeter_itself_is_refused(database: Database) -> None:
    with pytest.raises(InvalidInput, match="a database of aimeter itself"):
        lacks(str(database.url))


def test_a_database_without_their_tables_is_refused(shop: Shop) -> None:
    with shop.connected() as connection:
        for name in ("plans", "subscriptions", "usages", "overages", "usage_limit_overrides",
                     "credit_wallets", "credit_transactions"):  # fmt: skip
            connection.exec_driver_sql(f"DROP TABLE ai_{name}")
    with pytest.raises(InvalidInput, match="none of the tables of Laravel AI Metering"):
        lacks(shop.url)


def test_a_table_without_a_column_that_matters_is_refused(shop: Shop) -> None:
    shop.execute("ALTER TABLE ai_usages DROP COLUMN total_cost")
    with pytest.raises(InvalidInput, match="ai_usages has no column total_cost"):
        lacks(shop.url)


def test_what_may_be_missing_is_told_and_taken_as_empty(database: Database, shop: Shop) -> None:
    shop.add("ai_plans")
    shop.add("ai_subscriptions")
    shop.add("ai_usages", total_cost="0.5", total_tokens=10)
    for table, column in (("ai_usages", "total_tokens"), ("ai_usages", "meta"),
                          ("ai_subscriptions", "grace_period_ends_at"),
                          ("ai_plans", "deleted_at")):  # fmt: skip
        shop.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    shop.execute("DROP TABLE ai_credit_wallets")
    report = move(database, shop)
    assert report.notes == [
        "ai_subscriptions has no column grace_period_ends_at: taken as empty",
        "ai_usages has no column total_tokens: taken as empty",
        "ai_usages has no column meta: taken as empty",
        "there is no table ai_credit_wallets: nothing of it was read",
    ]
    assert report.table("ai_usages").imported == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_it_is_read_in_batches_and_cannot_be_written(
    kind: str, shop: Shop, request: pytest.FixtureRequest
) -> None:
    from sqlalchemy.exc import DBAPIError

    if kind == "postgresql":
        shop = Shop(request.getfixturevalue("empty_pg_url"))
    else:
        shop.execute("PRAGMA journal_mode=WAL")  # in which readers do not hold writers up
    for number in (7, 8, 9, 10, 11, 2**31, 2**31 + 1):
        shop.add("ai_usages", id=number)
    with open_source(shop.url, UTC) as source:
        ids = [[row.id for row in rows] for rows in source.batches(USAGES, 2)]
        # As numbers, and large ones: as texts 10 comes before 7.
        assert ids == [[7, 8], [9, 10], [11, 2**31], [2**31 + 1]]
        assert source.counts()["ai_usages"] == 7
        shop.add("ai_usages", id=12)
        assert source.counts()["ai_usages"] == 7  # one snapshot
        with pytest.raises(DBAPIError, match=r"read-?only"):
            _write(source)


def _write(source: Source) -> None:
    source._connection.exec_driver_sql("DELETE FROM ai_usages")


def test_bytes_that_are_no_text_are_made_visible(shop: Shop) -> None:
    shop.execute("INSERT INTO ai_plans (name, slug) VALUES (CAST(x'ff410042' AS TEXT), 'p')")
    with open_source(shop.url, UTC) as source:
        [[row]] = source.batches(PLANS)
    assert row.text("name") == "\\xffAB"


def test_mysql_is_asked_for_text_in_its_own_words() -> None:
    query = rows_after("ai_usages", ["id", "total_cost"], 2000)
    told = str(query.compile(dialect=mysql.dialect(), compile_kwargs={"literal_binds": False}))
    assert " ".join(told.split()) == (
        "SELECT CAST(ai_usages.id AS CHAR) AS id, CAST(ai_usages.total_cost AS CHAR) AS total_cost "
        "FROM ai_usages WHERE ai_usages.id > %s ORDER BY ai_usages.id LIMIT %s"
    )


def test_a_path_with_odd_characters_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "a ?#%41 b"
    folder.mkdir()
    shop = Shop(f"sqlite:///{tmp_path}/plain.db")
    (folder / "shop.db").write_bytes(Path(shop.url.removeprefix("sqlite:///")).read_bytes())
    from sqlalchemy.engine import URL

    url = URL.create("sqlite", database=str(folder / "shop.db")).render_as_string()
    assert lacks(url) == []
