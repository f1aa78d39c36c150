"""Everything that takes time to import, and that forked processes therefore find imported."""

from importlib import import_module

from sqlalchemy.orm import configure_mappers

for _name in (
    "aimeter_cli.cli.sync", "aimeter_cli.services.repricing.run", "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg", "sqlalchemy.dialects.sqlite.pysqlite",
    "stripe._account", "stripe._account_service", "stripe._invoice", "stripe._invoice_item",
    "stripe._invoice_item_service", "stripe._invoice_service", "stripe._stripe_client",
    "tests.chaos.story", "tests.support.crash_process", "tests.support.credits",
):  # fmt: skip
    import_module(_name)
configure_mappers()
