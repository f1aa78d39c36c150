"""Functions of the application that are told what happened, after the commit that made it true.

They run in the thread that committed. What one raises is logged and harms nobody else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from inspect import iscoroutinefunction, signature
from typing import TYPE_CHECKING, Any, TypeVar, overload

from aimeter_cli.errors import ConfigurationError

if TYPE_CHECKING:
    from aimeter_cli.db.engine import Database
    from aimeter_cli.domain.event_types import Event
    from aimeter_cli.domain.events import Emitted, EventName

E = TypeVar("E", bound="Event")
Listener = Callable[[E], object]
Warn = Callable[[str], None]

_ANY = "Event"
_listeners: dict[str, list[Callable[[Any], object]]] = {}
"""By the name of the event's type. The types are imported where somebody listens, only."""
_log = logging.getLogger("aimeter.events")


@overload
def listen(event: type[E], listener: Listener[E]) -> Listener[E]: ...
@overload
def listen(event: type[E]) -> Callable[[Listener[E]], Listener[E]]: ...
def listen(event: type[E], listener: Listener[E] | None = None) -> Any:
    """Have ``listener`` called with every event of a type; ``Event`` itself is any type.

    Also a decorator: ``@listen(OverageCharged)``. The same function is added once. Raises
    TypeError for what is no event type or no plain function.
    """
    from aimeter_cli.domain.event_types import Event

    if not (isinstance(event, type) and issubclass(event, Event)):
        raise TypeError(f"listen: expected a type of aimeter_cli.events, got {event!r}")
    if listener is None:
        return lambda function: listen(event, function)
    if not callable(listener) or iscoroutinefunction(listener):
        raise TypeError(f"listen: expected a plain function, got {listener!r}")
    known = _listeners.setdefault(event.__name__, [])
    if listener not in known:
        known.append(listener)
    return listener


def forget(listener: Callable[[Any], object]) -> None:
    """Call it no more, for whatever type it listened."""
    for known in _listeners.values():
        if listener in known:
            known.remove(listener)


@contextmanager
def listening(event: type[E], listener: Listener[E]) -> Iterator[None]:
    """Listen within the block."""
    listen(event, listener)
    try:
        yield
    finally:
        forget(listener)


def is_heard(name: EventName) -> bool:
    """Whether anybody listens: without, nothing is built."""
    return bool(_listeners.get(name) or _listeners.get(_ANY))


def load_listeners(paths: Sequence[str]) -> None:
    """Import the configuration's listeners; what listens already is not added again.

    ``package.module:function`` hears the type that its first argument is annotated with, any
    without; ``package.module`` is imported only, for its decorators. Raises ConfigurationError.
    """
    for path in paths:
        module_name, colon, name = path.partition(":")
        try:
            module = import_module(module_name)
            listener = getattr(module, name) if colon else None
        except Exception as error:  # whatever its import runs into
            raise ConfigurationError(
                f"event_listeners: {path} cannot be imported: {type(error).__name__}"
                f"{_place(error)}",
                hint="Expected package.module:function, on the path of this Python.",
            ) from error
        if listener is not None and not any(listener in known for known in _listeners.values()):
            try:
                listen(_heard_type(listener), listener)
            except TypeError as error:
                raise ConfigurationError(f"event_listeners: {path}: {error}") from None


def _heard_type(listener: Callable[[Any], object]) -> type[Event]:
    """What its first argument is annotated with."""
    from aimeter_cli.domain.event_types import Event

    try:
        parameters = signature(listener, eval_str=True).parameters.values()
    except (NameError, TypeError, ValueError):
        return Event
    first = next((parameter.annotation for parameter in parameters), Event)
    return first if isinstance(first, type) and issubclass(first, Event) else Event


def tell(database: Database, emitted: Sequence[Emitted], warn: Warn | None = None) -> None:
    """Tell the listeners what has been committed. Raises nothing of theirs."""
    heard = [each for each in emitted if is_heard(each.name)]
    if not heard:
        return
    from aimeter_cli.domain.event_types import events_of

    known = _references(database, heard, warn)
    for each in heard:
        billable = each.payload.get("billable", known.get(each.billable_id))
        for event in events_of(each, billable):
            for listener in (*_listeners.get(each.name, ()), *_listeners.get(_ANY, ())):
                try:
                    listener(event)
                except Exception as error:  # noqa: BLE001  # whatever it runs into
                    _complain(_name(listener), each.name.value, error, warn)


def _references(
    database: Database, heard: Sequence[Emitted], warn: Warn | None
) -> dict[int | None, str]:
    """TYPE:ID by the id of a billable, of those that do not tell it themselves."""
    ids = {each.billable_id for each in heard if "billable" not in each.payload}
    asked = [one for one in ids if one is not None]
    if not asked:
        return {}
    from sqlalchemy.exc import SQLAlchemyError

    from aimeter_cli.errors import AimeterError
    from aimeter_cli.repositories.outbox import references

    try:
        with database.read() as session:
            return references(session, asked)
    except (SQLAlchemyError, AimeterError) as error:  # it is committed: nothing may fail any more
        _complain("(reading billables)", "events", error, warn)
        return {}


def _complain(listener: str, event: str, error: Exception, warn: Warn | None) -> None:
    """The type of an error and its place: its message may hold what should not be logged."""
    told = f"listener {listener} failed on {event}: {type(error).__name__}{_place(error)}"
    _log.warning("%s", told)
    if warn is not None:
        warn(told)


def _name(listener: Callable[[Any], object]) -> str:
    name = getattr(listener, "__qualname__", type(listener).__qualname__)
    return f"{getattr(listener, '__module__', '?')}:{name}"


def _place(error: BaseException) -> str:
    """The innermost frame, by module and line."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f" at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
