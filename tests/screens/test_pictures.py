"""Pictures for the README are of real screens, in colour, the same every time."""

from __future__ import annotations

import re
from html import unescape

from tests.screens.pictures import picture
from tests.screens.screens import Gallery

_OUTSIDE = {"http://www.w3.org/2000/svg", "https://www.textualize.io"}


def test_a_picture_shows_the_screen_and_fetches_nothing(gallery: Gallery) -> None:
    svg = picture(gallery, "overages-list")
    texts = [unescape(text).replace("\xa0", " ") for text in re.findall(r">([^<>]+)</text>", svg)]
    assert "$ aimeter overages list" in "".join(texts)
    assert {"synced", "failed", "open"} <= {text.strip() for text in texts}
    assert set(re.findall(r"https?://[^\s\"<>]+", svg)) <= _OUTSIDE
    assert picture(gallery, "overages-list") == svg
