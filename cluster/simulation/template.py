"""Makes copies of what production builds once, since building its statements takes 30 ms.

What is copied is what the constructors of production made; what does not change is shared.
"""

import pickle
from io import BytesIO
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any, Generic, TypeVar

from sqlalchemy.sql.visitors import Visitable

from actors.installation import Installation
from actors.order.event_reader import EventReader
from actors.order.journal_failures import JournalFailures
from actors.order.journal_statements import Statements
from actors.runtime.batching import Pace
from actors.runtime.counting import Count, Spread
from actors.runtime.database import Database
from actors.runtime.group_commit import GroupCommit
from actors.runtime.statements import Prepared
from actors.settings import Settings
from cluster.simulation.ports import Port

Made = TypeVar("Made")
SHARED = (
    type,
    FunctionType,
    BuiltinFunctionType,
    ModuleType,
    Visitable,
    Prepared,
    Pace,
    Database,
    Statements,
    EventReader,
    GroupCommit,
    JournalFailures,
    Count,
    Spread,
    Installation,
    Settings,
    Port,
)


class Template(Generic[Made]):
    """Something that nobody has used yet; `copy` makes another one like it."""

    def __init__(self, made: Made) -> None:
        self._shared: list[Any] = []
        numbers: dict[int, int] = {}

        class Pickler(pickle.Pickler):
            def persistent_id(pickler, each: Any) -> int | None:  # noqa: N805
                if not isinstance(each, SHARED):
                    return None
                if id(each) not in numbers:
                    numbers[id(each)] = len(self._shared)
                    self._shared.append(each)
                return numbers[id(each)]

        written = BytesIO()
        Pickler(written, pickle.HIGHEST_PROTOCOL).dump(made)
        self._bytes = written.getvalue()

    def copy(self) -> Made:
        """Return a new one."""
        unpickler = pickle.Unpickler(BytesIO(self._bytes))  # noqa: S301 - written above
        unpickler.persistent_load = self._shared.__getitem__  # type: ignore[method-assign]
        made: Made = unpickler.load()
        return made
