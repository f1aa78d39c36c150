"""The account behind the key (Stripe: API reference, "Accounts")."""

from .call import Call, Json
from .params import Field, Fields

RETRIEVE: Fields = {"expand": Field("array")}


def retrieve(call: Call) -> Json:
    """``GET /v1/account``: one account for one sandbox file."""
    return {
        "id": call.account,
        "object": "account",
        "business_profile": {"name": "aimeter sandbox", "support_email": None, "url": None},
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "sandbox@example.com",
        "payouts_enabled": True,
        "settings": {
            "branding": {"icon": None, "logo": None, "primary_color": None},
            "card_payments": {
                "statement_descriptor_prefix": None,
                "statement_descriptor_prefix_kana": None,
                "statement_descriptor_prefix_kanji": None,
            },
            "dashboard": {"display_name": "aimeter sandbox", "timezone": "Etc/UTC"},
            "payments": {
                "statement_descriptor": None,
                "statement_descriptor_kana": None,
                "statement_descriptor_kanji": None,
            },
        },
        "type": "standard",
    }
