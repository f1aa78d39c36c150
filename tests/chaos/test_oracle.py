"""The oracle sees what is planted into books and facts that agree."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.chaos.oracle import Books, Charge, Entry, Facts, Verdict, judge

CENT = 10_000_000
USD, JPY, POISON = ("cus_usd", "usd"), ("cus_jpy", "jpy"), ("cus_poison", "usd")


@dataclass
class Case:
    """2.005 USD on a pending item, of which 0.80 more were waived; 7.5 JPY on a closed item of 7
    and 2.6 on its successor, with 0.1 left; a refused customer."""

    charges: list[Charge] = field(
        default_factory=lambda: [
            Charge(1, USD, 150 * CENT, "charged", "a"),
            Charge(2, USD, 50 * CENT + CENT // 2, "charged", "a"),
            Charge(3, JPY, 7_500_000_000, "charged", "b"),
            Charge(4, JPY, 2_600_000_000, "charged", "c"),
            Charge(5, POISON, 300 * CENT, "failed", "p"),
            Charge(6, USD, 80 * CENT, "excused", "a"),
        ]
    )
    entries: list[Entry] = field(
        default_factory=lambda: [
            Entry("a", USD, "ii_a"),
            Entry("b", JPY, "ii_b", "closed", 500_000_000, "c"),
            Entry("c", JPY, "ii_c"),
            Entry("p", POISON, None, "failed"),
        ]
    )
    items: list[dict[str, Any]] = field(
        default_factory=lambda: [
            _item("a", USD, 200),
            _item("b", JPY, 7),
            _item("c", JPY, 3),
        ]
    )
    effects: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=lambda: [_refusal(10)])
    cuts: list[float] = field(default_factory=list)

    def verdict(self) -> Verdict:
        facts = Facts(self.items, self.effects, self.ledger, self.cuts)
        return judge(Books(self.charges, self.entries), facts, [POISON[0]])

    def meddle(self, item: str, time: float = 100) -> None:
        self.effects.append({"item": item, "by": "person", "time": time, "request": None})


def _item(tag: str, account: tuple[str, str], amount: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"ii_{tag}", "customer": account[0], "currency": account[1], "amount": amount,
        "metadata": {"aimeter_item": tag}, "deleted": False,
    } | more  # fmt: skip


def _refusal(time: float, **more: Any) -> dict[str, Any]:
    return {
        "seq": int(time), "time": time, "method": "POST", "customer": POISON[0], "status": 400,
        "fault": None, "form": [["metadata[aimeter_item]", "p"]],
    } | more  # fmt: skip


def _counts(verdict: Verdict) -> tuple[int, int, int, int]:
    return verdict.doubled, verdict.lost, verdict.wrong, verdict.poison


@pytest.fixture
def case() -> Case:
    return Case()


def test_books_and_facts_that_agree_are_clean(case: Case) -> None:
    verdict = case.verdict()
    assert (verdict.is_clean, verdict.differences) == (True, [])


def test_a_second_item_of_the_same_tag_is_doubled(case: Case) -> None:
    case.items.append(_item("a", USD, 200, id="ii_again"))
    assert _counts(case.verdict()) == (1, 0, 0, 0)


def test_an_item_that_follows_one_a_person_deleted_is_not_doubled(case: Case) -> None:
    case.items.append(_item("a", USD, 200, id="ii_before", deleted=True))
    case.meddle("ii_before")
    assert case.verdict().is_clean


def test_an_item_that_the_books_do_not_know_is_wrong(case: Case) -> None:
    case.items.append(_item("x", JPY, 0))
    assert _counts(case.verdict()) == (0, 0, 1, 0)


@pytest.mark.parametrize("state", ["open", "frozen", "unknown", "failed", "held", "needs_rate"])
def test_an_overage_that_is_not_settled_is_lost(case: Case, state: str) -> None:
    case.charges.append(Charge(9, USD, CENT, state))
    verdict = case.verdict()
    assert _counts(verdict) == (0, 1, 0, 0)
    assert verdict.differences == [f"cus_usd usd: overage 9 is {state}"]


def test_an_overage_that_passes_for_charged_without_an_item_is_lost(case: Case) -> None:
    case.charges.append(Charge(9, USD, CENT, "charged"))
    assert _counts(case.verdict()) == (0, 1, 0, 0)


def test_an_item_that_never_was_at_stripe_is_lost(case: Case) -> None:
    case.charges.append(Charge(9, USD, CENT, "charged", "z"))
    case.entries.append(Entry("z", USD, "ii_z"))
    assert case.verdict().lost == 1


@pytest.mark.parametrize("amount", [199, 201])
def test_a_cent_too_much_or_too_little_is_wrong(case: Case, amount: int) -> None:
    case.items[0]["amount"] = amount
    assert _counts(case.verdict()) == (0, 0, 1, 0)


def test_a_carry_that_is_a_nano_off_is_wrong(case: Case) -> None:
    case.entries[1] = replace(case.entries[1], carry=499_999_999)
    verdict = case.verdict()
    assert _counts(verdict) == (0, 0, 1, 0)
    assert "was closed at 7 of 7500000000 nanos" in verdict.differences[0]


def test_a_nano_that_went_to_another_customers_item_is_wrong(case: Case) -> None:
    case.charges.append(Charge(9, JPY, 1, "carried", "a"))
    assert _counts(case.verdict()) == (0, 0, 2, 0)


def test_what_a_person_holds_up_is_not_lost(case: Case) -> None:
    case.charges.append(Charge(9, USD, CENT, "held"))
    case.items[0]["amount"] = 900
    case.meddle("ii_a")
    assert case.verdict().is_clean


def test_a_charged_poison_is_told(case: Case) -> None:
    case.items.append(_item("p", POISON, 300))
    case.entries[3] = replace(case.entries[3], stripe_id="ii_p")
    assert _counts(case.verdict()) == (0, 0, 0, 1)


def test_a_poison_that_passes_for_charged_is_told(case: Case) -> None:
    case.charges[4] = replace(case.charges[4], state="charged")
    assert case.verdict().poison == 1


def test_a_poison_that_was_refused_and_is_not_failed_is_told(case: Case) -> None:
    case.entries[3] = replace(case.entries[3], status="unknown")
    assert case.verdict().poison == 1


@pytest.mark.parametrize(
    ("first", "cuts", "told"),
    [
        ({}, [], 1),
        ({}, [10.1], 0),  # killed before it could write that down
        ({}, [1.0, 40.0], 1),
        ({"fault": "truncate"}, [], 0),  # no answer
        ({"status": None, "fault": "lost"}, [], 0),
    ],
)
def test_a_poison_that_is_sent_again_after_an_answered_refusal_is_told(
    case: Case, first: dict[str, Any], cuts: list[float], told: int
) -> None:
    case.ledger[:] = [_refusal(10, **first), _refusal(50)]
    case.cuts += cuts
    assert case.verdict().poison == told


@pytest.mark.parametrize(("arrived", "wrong"), [(101, 0), (200, 1)])
def test_a_persons_change_is_overwritten_only_by_what_was_under_way(
    case: Case, arrived: float, wrong: int
) -> None:
    case.meddle("ii_a", 100)
    case.ledger.append(_refusal(arrived, customer=USD[0], seq=7))
    case.effects.append({"item": "ii_a", "by": "api", "time": arrived, "request": 7})
    assert case.verdict().wrong == wrong
