"""How a process writes its log: lines for people, or JSON for what collects them.

Nobody's data and no secret is in either: whoever logs sees to that. What JSON adds are ids: of the
order that is worked on, and of the trace, where there are any.
"""

import logging
import os
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

from actors.runtime import tracing
from actors.runtime.message_codec import to_json

ORDER_ID: ContextVar[str | None] = ContextVar("order_id", default=None)
"""The order that is worked on; each task has its own."""
FIELDS = "fields"
"""What a record's `extra` may have: further members of its JSON."""
TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonFormatter(logging.Formatter):
    """One JSON object a line. `process` is what this process is called."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process
        self._pid = os.getpid()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "process": self._process,
            "pid": self._pid,
            "message": record.getMessage(),
        }
        order_id, trace_id = tracing.id_only(ORDER_ID.get()), tracing.trace_id()
        if order_id is not None:
            told["order_id"] = order_id
        if trace_id is not None:
            told["trace_id"] = trace_id
        told |= getattr(record, FIELDS, {})
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return to_json(told).decode()


def write_logs(log_format: Literal["text", "json"], process: str) -> None:
    """Let what this process has to tell out by its standard error.

    Past `sys.stderr`: Ray Serve replaces it by a logger of its own, which drops them all.
    """
    formatter = JsonFormatter(process) if log_format == "json" else logging.Formatter(TEXT)
    handler = logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(formatter)
    ours = logging.getLogger("siren")
    ours.handlers = [handler]
    ours.propagate = False
    if log_format == "json":  # whoever collects them sorts them out by level
        ours.setLevel(logging.INFO)
    # Nobody is told of them, and to find them out takes a third of a line's time.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
