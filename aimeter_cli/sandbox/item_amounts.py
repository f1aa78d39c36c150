"""What an invoice item costs: quantity, unit, amount, currency (Stripe: create an invoice item)."""

from decimal import ROUND_HALF_UP, Decimal

from .call import Call, Json
from .identifiers import new_id
from .refusals import invalid


def quantity(given: Json, default: Decimal) -> Decimal:
    """The quantity that was asked for; raises 400 for a negative one, or for two of them."""
    if "quantity" in given and "quantity_decimal" in given:
        raise invalid("You may only specify one of these parameters: quantity, quantity_decimal.")
    number = Decimal(given["quantity"]) if "quantity" in given else default
    if "quantity_decimal" in given:
        number = given["quantity_decimal"]
    if number < 0:
        raise invalid(
            f"Invalid integer: This value must be greater than or equal to 0 (it currently is "
            f"'{plain(number)}').",
            "quantity",
            "parameter_invalid_integer",
        )
    return number


def amounts(given: Json, number: Decimal, price: Json | None) -> tuple[Decimal, int]:
    """The unit amount and the whole amount for ``number`` units, in minor units, half up.

    Raises the 400s for none of them, or two.
    """
    if "amount" in given:
        if price is not None:
            raise invalid("You may only specify one of these parameters: amount, pricing.")
        return Decimal(given["amount"]) / (number or 1), given["amount"]
    if "unit_amount_decimal" in given:
        unit = Decimal(given["unit_amount_decimal"])
    elif price is not None:
        unit = Decimal(price["unit_amount_decimal"])
    else:
        raise invalid("Missing required param: amount.", "amount", "parameter_missing")
    return unit, int((unit * number).quantize(Decimal(1), ROUND_HALF_UP))


def currency(given: Json, customer: Json, price: Json | None) -> str:
    """The currency: the one given, the price's, the customer's; raises 400 without any."""
    chosen = given.get("currency") or (price or customer)["currency"]
    if chosen is None:
        raise invalid("Missing required param: currency.", "currency", "parameter_missing")
    return str(chosen)


def plain(number: Decimal) -> str:
    """A decimal as Stripe writes it: no exponent, at most 12 places, no zeros at the end."""
    text = f"{number:.12f}".rstrip("0").rstrip(".")
    return text or "0"


def set_quantity(body: Json, number: Decimal) -> None:
    """Write the quantity into the item, in both of its forms."""
    body["quantity"], body["quantity_decimal"] = int(number), plain(number)


def pricing(unit: Decimal, price: Json | None) -> Json:
    """The item's ``pricing``; an amount without a price gets one of its own."""
    details = {"price": new_id("price"), "product": new_id("prod")}
    if price is not None:
        details = {"price": price["id"], "product": price["product"]}
    return {
        "price_details": details,
        "type": "price_details",
        "unit_amount_decimal": plain(unit),
    }


def tax_rate(call: Call, tax_rate_id: str) -> Json:
    """A tax rate of that id, of 0 %: the sandbox computes no tax."""
    return {
        "id": tax_rate_id,
        "object": "tax_rate",
        "active": True,
        "country": None,
        "created": call.now,
        "description": None,
        "display_name": "Tax",
        "effective_percentage": None,
        "flat_amount": None,
        "inclusive": False,
        "jurisdiction": None,
        "jurisdiction_level": None,
        "livemode": False,
        "metadata": {},
        "percentage": 0.0,
        "rate_type": "percentage",
        "state": None,
        "tax_type": None,
    }
