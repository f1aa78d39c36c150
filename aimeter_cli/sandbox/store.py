"""The sandbox's state: one SQLite file, so that it outlives a killed client and its own restart.

Objects are kept as Stripe's JSON, with the columns beside it that lists and rules select on.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .identifiers import new_id

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS customers (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, email TEXT,
  created INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS prices (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS subscriptions (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, customer TEXT NOT NULL,
  currency TEXT NOT NULL, status TEXT NOT NULL, created INTEGER NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS items (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, customer TEXT NOT NULL,
  subscription TEXT, currency TEXT NOT NULL, amount INTEGER NOT NULL, invoice TEXT, line TEXT,
  line_order INTEGER, created INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0,
  body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS items_customer ON items (customer);
CREATE INDEX IF NOT EXISTS items_invoice ON items (invoice);
CREATE TABLE IF NOT EXISTS invoices (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, customer TEXT NOT NULL,
  subscription TEXT, status TEXT NOT NULL, created INTEGER NOT NULL,
  deleted INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS invoices_customer ON invoices (customer);
CREATE TABLE IF NOT EXISTS products (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, active INTEGER NOT NULL,
  created INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS endpoints (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, secret TEXT NOT NULL,
  created INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS events (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL,
  api_version TEXT NOT NULL, created INTEGER NOT NULL, deleted INTEGER NOT NULL DEFAULT 0,
  request TEXT, idempotency_key TEXT, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
  n INTEGER PRIMARY KEY AUTOINCREMENT, event INTEGER NOT NULL, endpoint TEXT NOT NULL,
  made REAL NOT NULL, due REAL, attempts INTEGER NOT NULL DEFAULT 0,
  done INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS deliveries_waiting ON deliveries (due) WHERE done = 0;
CREATE INDEX IF NOT EXISTS deliveries_event ON deliveries (event) WHERE done = 0;
CREATE TABLE IF NOT EXISTS charges (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, invoice TEXT NOT NULL,
  amount INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS charges_invoice ON charges (invoice);
CREATE TABLE IF NOT EXISTS timers (
  object TEXT NOT NULL, action TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (object, action));
CREATE INDEX IF NOT EXISTS timers_at ON timers (at);
CREATE TABLE IF NOT EXISTS keys (
  account TEXT NOT NULL, key TEXT NOT NULL, path TEXT NOT NULL, params TEXT NOT NULL,
  status INTEGER NOT NULL, body BLOB NOT NULL, request_id TEXT NOT NULL, created REAL NOT NULL,
  PRIMARY KEY (account, key));
CREATE TABLE IF NOT EXISTS ledger (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, method TEXT NOT NULL,
  path TEXT NOT NULL, form TEXT NOT NULL, idempotency_key TEXT, customer TEXT,
  request_id TEXT NOT NULL, status INTEGER, outcome INTEGER, error TEXT,
  replayed INTEGER NOT NULL DEFAULT 0, executed INTEGER NOT NULL DEFAULT 0, executed_at REAL,
  fault TEXT);
CREATE TABLE IF NOT EXISTS effects (
  n INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, kind TEXT NOT NULL,
  item TEXT NOT NULL, customer TEXT NOT NULL, currency TEXT NOT NULL, old INTEGER, new INTEGER,
  request INTEGER, by TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
  id INTEGER PRIMARY KEY AUTOINCREMENT, spec TEXT NOT NULL, seen INTEGER NOT NULL DEFAULT 0,
  applied INTEGER NOT NULL DEFAULT 0);
"""

OBJECTS = (
    "customers", "products", "prices", "subscriptions", "items", "invoices", "charges",
    "endpoints", "keys",
)  # fmt: skip
RECORDS = ("events", "deliveries", "timers", "ledger", "effects", "faults")


class Store:
    """One connection, used by one thread at a time; every request is one transaction.

    ``path`` is the file; it is made when missing. Raises :class:`sqlite3.Error` when
    it is unusable.
    """

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._closed = False
        self._db = sqlite3.connect(
            path, timeout=30, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "busy_timeout=30000"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(SCHEMA)
        with self.transaction() as db:
            self.account = fact(db, "account") or new_id("acct")
            set_fact(db, "account", self.account)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """BEGIN IMMEDIATE … COMMIT, or ROLLBACK when the block raises.

        Raises ConnectionAbortedError once the sandbox stops.
        """
        with self._lock:
            if self._closed:
                raise ConnectionAbortedError("the sandbox has stopped")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Close the file; waits for the transaction that is running."""
        with self._lock:
            self._closed = True
            self._db.close()


@contextmanager
def savepoint(db: sqlite3.Connection) -> Iterator[None]:
    """Undo what the block wrote when it raises, and go on with the transaction around it.

    An error whose ``keeps`` is true leaves it as it is.
    """
    db.execute("SAVEPOINT step")
    try:
        yield
    except BaseException as error:
        if not getattr(error, "keeps", False):
            db.execute("ROLLBACK TO step")
        raise
    finally:
        db.execute("RELEASE step")


def fact(db: sqlite3.Connection, name: str) -> Any:
    """A stored single value (account id, clock offset, settings), None when there is none."""
    row = db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return None if row is None else json.loads(row["value"])


def set_fact(db: sqlite3.Connection, name: str, value: Any) -> None:
    """Store a single value as JSON."""
    db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))


def forget(db: sqlite3.Connection) -> None:
    """Empty everything but the account, the clock and the settings."""
    for table in (*OBJECTS, *RECORDS):
        db.execute(f"DELETE FROM {table}")
