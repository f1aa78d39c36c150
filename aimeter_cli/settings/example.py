"""Texts made from the settings table: ``config.example.toml`` and what ``aimeter init`` writes."""

from __future__ import annotations

from textwrap import wrap

from aimeter_cli.settings.table import ROWS, Row

_HEADER = """\
# aimeter configuration. Every key may also be set by its variable, named beside it.
# Order: command-line option, environment, .env, this file, default.
# Secrets (STRIPE_API_KEY) come from the environment or .env only.
"""


def example_toml(active: dict[str, str] | None = None) -> str:
    """The whole table as a TOML file, every key commented out but those in ``active``.

    ``active`` maps keys to TOML literals.
    """
    active = active or {}
    lines = [_HEADER]
    shown = [row for row in ROWS if not row.setting.secret]
    lines += [_entry(row, active) for row in shown if not row.setting.section]
    for section in dict.fromkeys(row.setting.section for row in shown if row.setting.section):
        rows = [row for row in shown if row.setting.section == section]
        used = any(row.key in active for row in rows)
        lines.append(f"{'' if used else '# '}[{section}]")
        lines += [_entry(row, active) for row in rows]
    return "\n".join(lines)


def _entry(row: Row, active: dict[str, str]) -> str:
    comment = "\n".join(f"# {line}" for line in wrap(f"{row.setting.help} ({row.variable})", 94))
    if row.is_table:
        return f"{comment}\n# {row.setting.example}\n"
    name = row.path.rpartition(".")[2]
    if row.key in active:
        return f"{comment}\n{name} = {active[row.key]}\n"
    return f"{comment}\n# {name} = {row.setting.example}\n"
