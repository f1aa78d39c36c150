"""The endpoints: method, path, parameters, code."""

from dataclasses import dataclass

from . import (
    accounts,
    customer_search,
    customers,
    events,
    invoice_items,
    invoice_moves,
    invoices,
    lines,
    prices,
    products,
    subscription_changes,
    subscriptions,
    webhook_endpoints,
)
from .call import Handler
from .params import Fields
from .refusals import unknown_url


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint; ``path`` has ``{}`` where an id stands."""

    method: str
    path: str
    fields: Fields
    handler: Handler


_ITEM, _INVOICE = invoice_items.URL + "/{}", invoices.URL + "/{}"
_ENDPOINT = webhook_endpoints.URL + "/{}"
_CUSTOMER, _SUBSCRIPTION = customers.URL + "/{}", subscriptions.URL + "/{}"

ROUTES = (
    Route("GET", events.URL, events.LIST, events.list_),
    Route("GET", events.URL + "/{}", events.RETRIEVE, events.retrieve),
    Route("POST", webhook_endpoints.URL, webhook_endpoints.CREATE, webhook_endpoints.create),
    Route("GET", webhook_endpoints.URL, webhook_endpoints.LIST, webhook_endpoints.list_),
    Route("GET", _ENDPOINT, webhook_endpoints.RETRIEVE, webhook_endpoints.retrieve),
    Route("POST", _ENDPOINT, webhook_endpoints.UPDATE, webhook_endpoints.update),
    Route("DELETE", _ENDPOINT, webhook_endpoints.DELETE, webhook_endpoints.delete),
    Route("GET", "/v1/account", accounts.RETRIEVE, accounts.retrieve),
    Route("POST", customers.URL, customers.CREATE, customers.create),
    Route("GET", customers.URL, customers.LIST, customers.list_),
    Route("GET", customer_search.URL, customer_search.SEARCH, customer_search.search),
    Route("GET", _CUSTOMER, customers.RETRIEVE, customers.retrieve),
    Route("POST", _CUSTOMER, customers.UPDATE, customers.update),
    Route("DELETE", _CUSTOMER, customers.DELETE, customers.delete),
    Route("POST", invoice_items.URL, invoice_items.CREATE, invoice_items.create),
    Route("GET", invoice_items.URL, invoice_items.LIST, invoice_items.list_),
    Route("GET", _ITEM, invoice_items.RETRIEVE, invoice_items.retrieve),
    Route("POST", _ITEM, invoice_items.UPDATE, invoice_items.update),
    Route("DELETE", _ITEM, invoice_items.DELETE, invoice_items.delete),
    Route("POST", invoices.URL, invoices.CREATE, invoices.create),
    Route("GET", invoices.URL, invoices.LIST, invoices.list_),
    Route("GET", _INVOICE, invoices.RETRIEVE, invoices.retrieve),
    Route("POST", _INVOICE, invoices.UPDATE, invoices.update),
    Route("DELETE", _INVOICE, invoices.DELETE, invoices.delete),
    Route("GET", _INVOICE + "/lines", lines.LIST, lines.list_),
    Route("POST", _INVOICE + "/add_lines", invoice_moves.ADD_LINES, invoice_moves.add_lines),
    Route("POST", _INVOICE + "/finalize", invoice_moves.FINALIZE, invoice_moves.finalize),
    Route("POST", _INVOICE + "/pay", invoice_moves.PAY, invoice_moves.pay),
    Route("POST", _INVOICE + "/void", invoice_moves.VOID, invoice_moves.void),
    Route(
        "POST",
        _INVOICE + "/mark_uncollectible",
        invoice_moves.MARK_UNCOLLECTIBLE,
        invoice_moves.mark_uncollectible,
    ),
    Route("POST", subscriptions.URL, subscriptions.CREATE, subscriptions.create),
    Route("GET", subscriptions.URL, subscriptions.LIST, subscriptions.list_),
    Route("GET", _SUBSCRIPTION, subscriptions.RETRIEVE, subscriptions.retrieve),
    Route("POST", _SUBSCRIPTION, subscription_changes.UPDATE, subscription_changes.update),
    Route(
        "POST",
        _SUBSCRIPTION + "/resume",
        subscription_changes.RESUME,
        subscription_changes.resume,
    ),
    Route("POST", products.URL, products.CREATE, products.create),
    Route("GET", products.URL, products.LIST, products.list_),
    Route("GET", products.URL + "/{}", products.RETRIEVE, products.retrieve),
    Route("POST", products.URL + "/{}", products.UPDATE, products.update),
    Route("POST", prices.URL, prices.CREATE, prices.create),
    Route("GET", prices.URL, prices.LIST, prices.list_),
    Route("GET", prices.URL + "/{}", prices.RETRIEVE, prices.retrieve),
    Route("POST", prices.URL + "/{}", prices.UPDATE, prices.update),
    Route("DELETE", _SUBSCRIPTION, subscriptions.CANCEL, subscriptions.cancel),
)

_BY_PATH = {(route.method, route.path): route for route in ROUTES}


def find(method: str, path: str) -> tuple[Route, str]:
    """The endpoint and the id in the path; raises the 404 for an unknown URL."""
    route = _BY_PATH.get((method, path))
    if route is not None:
        return route, ""
    parts = path.split("/")
    if len(parts) > 3:
        object_id, parts[3] = parts[3], "{}"
        route = _BY_PATH.get((method, "/".join(parts)))
        if route is not None and object_id:
            return route, object_id
    raise unknown_url(method, path)
