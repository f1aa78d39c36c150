"""Selects and claims. They take a session and never commit."""
