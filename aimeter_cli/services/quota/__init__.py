"""Quotas: what is left before a call is made."""
