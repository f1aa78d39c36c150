"""What each model was used for, and what it cost, from the rows of a report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from aimeter_cli.services.reports.usage import ReportRow


@dataclass(frozen=True, slots=True)
class ModelSum:
    """A model's usage that cost something in ``currency``; ``charges`` are by the plans' currency.

    ``others``: how many smaller models it is the sum of; then it has no name.
    """

    provider: str | None
    model: str | None
    currency: str
    requests: int
    tokens: int
    cost: Decimal
    charges: Mapping[str, Decimal]
    others: int = 0


def model_sums(rows: Iterable[ReportRow], limit: int) -> list[ModelSum]:
    """By currency, the dearest first; of each currency at most ``limit``, then the others."""
    groups: dict[tuple[str, str | None, str | None], list[ReportRow]] = defaultdict(list)
    for row in rows:
        groups[row.currency, row.provider, row.model].append(row)
    ranked: dict[str, list[ModelSum]] = defaultdict(list)
    for group in groups.values():
        ranked[group[0].currency].append(_sum(group))
    return [each for currency in sorted(ranked) for each in _limited(ranked[currency], limit)]


def _sum(rows: Sequence[ReportRow]) -> ModelSum:
    return ModelSum(
        rows[0].provider,
        rows[0].model,
        rows[0].currency,
        sum(row.requests for row in rows),
        sum(row.tokens for row in rows),
        sum((row.cost for row in rows), Decimal(0)),
        _added((row.charge_currency, row.charge) for row in rows),
    )


def _limited(models: list[ModelSum], limit: int) -> list[ModelSum]:
    models.sort(key=lambda each: (-each.cost, -each.tokens, each.model, each.provider))
    kept, others = models[:limit], models[limit:]
    if others:
        kept.append(
            replace(
                others[0],
                provider=None,
                model=None,
                requests=sum(each.requests for each in others),
                tokens=sum(each.tokens for each in others),
                cost=sum((each.cost for each in others), Decimal(0)),
                charges=_added(pair for each in others for pair in each.charges.items()),
                others=len(others),
            )
        )
    return kept


def _added(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """By currency; without those that come to nothing."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for currency, amount in amounts:
        sums[currency] += amount
    return {currency: sums[currency] for currency in sorted(sums) if sums[currency]}
