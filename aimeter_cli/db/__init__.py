"""The database: engine, transactions, clock and column types. No tables, no rules."""
