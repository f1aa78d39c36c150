"""Alembic's entry: runs inside the connection and transaction that ``upgrade`` hands over."""

from alembic import context

from aimeter_cli.models.registry import METADATA

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
context.run_migrations()
