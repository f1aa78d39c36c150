"""What the requests of one sandbox share."""

import threading
from dataclasses import dataclass, field

from .faults import Faults
from .settings import Clock, Settings
from .store import Store
from .traffic import Traffic


@dataclass(slots=True)
class Parts:
    """State, clock, ordered faults and settings; ``stop`` ends all waiting."""

    store: Store
    clock: Clock
    faults: Faults
    settings: Settings
    stop: threading.Event
    traffic: Traffic = field(default_factory=Traffic)
