"""``aimeter audit``: everything recomputed from the usages, and compared with what Stripe has."""
