"""What the doors need of the application, made of a test's parts."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from aimeter_cli.billing.base import BillingDriver
from aimeter_cli.billing.null import NullDriver
from aimeter_cli.db.engine import Database
from aimeter_cli.settings.table import Settings
from aimeter_cli.webhooks.intake import Intake
from tests.webhooks.conftest import NOW, World


@dataclass
class Parts:
    """An application whose clock stands still."""

    database: Database
    settings: Settings = field(default_factory=Settings)
    driver: BillingDriver = field(default_factory=lambda: NullDriver(Settings()))
    moment: datetime = NOW

    def now(self) -> datetime:
        return self.moment


def parts_of(world: World) -> Parts:
    return Parts(world.database, world.settings)


def intake_of(world: World) -> Intake:
    return Intake(parts_of(world))
