"""aimeter: metering and Stripe overage billing for products that resell AI."""

__version__ = "0.1.0"
