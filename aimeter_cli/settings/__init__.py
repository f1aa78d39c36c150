"""Settings: CLI option > environment > ``.env`` > ``aimeter.toml`` > default (DESIGN.md)."""
