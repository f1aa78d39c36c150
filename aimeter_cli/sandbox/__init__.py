"""A stand-in for Stripe: its own process, real HTTP, state in SQLite, faults on demand.

Tests, demos and rehearsals point ``STRIPE_API_BASE`` at it. It speaks the part of Stripe's API
(version 2026-10-28.endive) that billing by invoice items needs, keeps a ledger of every request and
every change of an amount, and can be told to fail in all the ways a network and a payment provider
fail. It uses the standard library only and is never imported by the code that bills.

* :mod:`.server` runs it, ``python -m aimeter_cli.sandbox`` does so as a process,
* :mod:`.process` starts and stops such a process,
* :mod:`.client` reads its ledger and gives it orders,
* :mod:`.faults` documents the faults and their syntax.
"""
