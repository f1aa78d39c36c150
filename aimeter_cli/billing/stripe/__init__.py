"""The driver for Stripe. Only this package imports ``stripe``."""

from aimeter_cli.billing.stripe.driver import StripeDriver

__all__ = ["StripeDriver"]
