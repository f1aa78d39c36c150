"""Overage → Stripe: claim, send, settle (DESIGN.md).

``claim`` and ``settle`` are short transactions; ``engine`` walks one claimed item through the
transition table; ``run`` keeps a pool of them busy; ``report`` is what came of it.
"""
