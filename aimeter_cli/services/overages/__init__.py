"""Overages: how they are listed, and what an operator does with them by hand."""
