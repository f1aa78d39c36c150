"""``aimeter doctor`` on the file that holds the secrets."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Cli


def found(cli: Cli) -> list[tuple[str, str, str]]:
    checks = cli("doctor", "--format", "json").json
    return [(c["status"], c["detail"], c["hint"]) for c in checks if c["name"] == "secrets"]


def test_secrets_that_others_can_read_are_a_warning_with_what_to_type(
    cli: Cli, isolated: Path
) -> None:
    assert found(cli) == []
    file = isolated / ".env"
    file.write_text("STRIPE_API_KEY=sk_test_4eC39HqLyjWDarjtT1zdp7dc")
    file.chmod(0o644)
    assert found(cli) == [("warning", f"others can read {file} (mode 0644)", f"chmod 600 {file}")]
    file.chmod(0o600)
    assert found(cli) == []
