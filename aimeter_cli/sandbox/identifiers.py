"""Ids in the shape of Stripe's: a prefix that tells the type, then base-62 characters."""

import random

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

LENGTHS = {"cus": 14, "req": 14, "acct": 16, "prod": 14, "si": 14, "whsec": 32}
"""Characters after the prefix; all other types have 24, the first of them ``1``."""

_random = random.SystemRandom()


def new_id(prefix: str) -> str:
    """Make a new random id, for example ``ii_1Qx…`` for the prefix ``ii``."""
    length = LENGTHS.get(prefix)
    if length is None:
        return f"{prefix}_1" + "".join(_random.choices(ALPHABET, k=23))
    return f"{prefix}_" + "".join(_random.choices(ALPHABET, k=length))
