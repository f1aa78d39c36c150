"""Providers of models: how many tokens a response tells, as disjoint classes.

Responses are read by their fields, as objects or as mappings: no provider's package is imported.
"""
