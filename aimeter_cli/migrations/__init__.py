"""Schema changes, as Alembic migrations that keep the data of an older database."""

HEAD = "0009"
"""The newest revision, known without importing Alembic; a test compares the two."""
