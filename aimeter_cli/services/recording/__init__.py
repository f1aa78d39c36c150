"""Recording usages: idempotent, priced, counted and charged in one transaction per batch."""
