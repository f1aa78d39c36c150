"""Schema changes, as Alembic migrations that keep the data of an older database."""

HEAD = "0005"
"""The newest revision, known without importing Alembic; a test compares the two."""
