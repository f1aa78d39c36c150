"""Billing drivers: who puts an overage on an invoice. Only ``stripe`` here imports ``stripe``."""
