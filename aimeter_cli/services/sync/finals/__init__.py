"""Overage that is pending when its subscription ends: no invoice of Stripe's would collect it.

``policy`` waives or holds it; ``claim``, ``work`` and ``settle`` make a final invoice of it, phase
by phase, each a request that is written down, sent, looked up and settled as those of items are.
"""
