"""Subscriptions: what an operator does with them, one use case per file."""
