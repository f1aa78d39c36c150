"""Price usages that wait for a price or a rate, by signed adjustments, each exactly once.

An adjustment is a usage without tokens that adds the missing cost to the one which it adjusts: of
the same time, billable, subscription and counter, under the key ``reprice:<id>``. Amounts that were
recorded never change. The period's charge becomes what it were had the cost been known at once.
"""
