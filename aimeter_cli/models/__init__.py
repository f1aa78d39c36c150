"""The tables, one noun per file. SQLModel defines the schema; hot paths use Core on its tables.

Import the file of the noun you need: building a model class costs time that ``--help`` and short
commands need not pay. :mod:`aimeter_cli.models.registry` imports them all, for migrations.
"""
