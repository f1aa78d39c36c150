"""Nothing from outside becomes markup, and the page asks for nothing."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from hashlib import sha256

import pytest

from aimeter_cli.render.html.page import page
from aimeter_cli.services.reports.overview import Overview
from tests.render.html.reading import facts, read
from tests.render.html.sample import HOSTILE, hostile, sample

TAGS = set(
    "html head meta title style body main header p h1 section h2 dl dt dd div data span figure "
    "figcaption svg desc line rect details summary table caption thead tbody tfoot tr th td code "
    "strong time footer".split()
) | {""}


def test_its_policy_allows_its_own_style_and_nothing_else() -> None:
    shown = read(page(sample()))
    [policy] = [
        each.attributes["content"]
        for each in shown.all("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    [style] = shown.all("style")
    digest = b64encode(sha256(style.text.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "url(" not in style.text
    assert "@import" not in style.text


@pytest.mark.parametrize("found", [sample(), hostile()], ids=["sample", "hostile"])
def test_no_text_from_outside_becomes_an_element_or_an_attribute(found: Overview) -> None:
    shown = read(page(found))
    assert shown.tags() <= TAGS
    for tag in shown.tags() - {""}:
        for each in shown.all(tag):
            assert not {"style", "href", "src", "srcset", "action"} & set(each.attributes)
            assert not any(name.startswith("on") for name in each.attributes)


def test_hostile_text_is_shown_in_full_and_its_controls_as_escapes() -> None:
    document = page(hostile())
    assert not {"\x1b", "\x00", "\u202e"} & set(document)
    document.encode()
    visible = HOSTILE.replace("\x1b", "\\x1b").replace("\x00", "\\x00").replace("\u202e", "\\u202e")
    shown = read(document)
    names = [each.text for each in shown.all("span", "name")]
    assert names[0] == visible
    assert f"Only user:{visible}" in [each.text for each in shown.all("p")]
    assert facts(shown)["Paused"].endswith(visible)


def test_a_name_of_megabytes_is_cut_and_says_how_long_it_was() -> None:
    found = sample()
    long = replace(found.models[0], model="m" * 10_000_000)
    shown = page(replace(found, models=[long]))
    assert len(shown) < 100_000
    assert f"{'m' * 200}… (10,000,000 characters)" in shown
