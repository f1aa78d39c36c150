"""The declarations of columns and JSON fields, one noun per file."""
