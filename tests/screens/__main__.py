"""``python -m tests.screens --write``: golden files anew. Look at the difference afterwards."""

from __future__ import annotations

import sys

from tests.screens.screens import SCREENS, WIDTHS, write

if sys.argv[1:] != ["--write"]:
    sys.exit("usage: python -m tests.screens --write")
write()
print(f"{len(SCREENS)} screens, each for {', '.join(WIDTHS)}")
