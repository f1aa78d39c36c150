"""Writing what was imported: one module for each table, all in the one transaction of the run."""
