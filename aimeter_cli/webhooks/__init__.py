"""Stripe's events: read, stored once, handled once, in any order (DESIGN.md, "Webhooks").

``inbox`` is the one way in; ``reading`` turns files into events, ``replay`` feeds them through.
``registry`` names the handler of each type; a handler sees its event through ``handling``.
"""
