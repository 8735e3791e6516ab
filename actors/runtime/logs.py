"""How a process writes its log: lines for people, or JSON for what collects them.

Nobody's data and no secret is in either: whoever logs sees to that. What JSON adds are ids: of the
order that is worked on, and of the trace, where there are any.
"""

import logging
import os
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

from actors.runtime import tracing
from actors.runtime.message_codec import to_json

ORDER_ID: ContextVar[str | None] = ContextVar("order_id", default=None)
"""The order that is worked on; each task has its own."""
FIELDS = "fields"
"""What a record's `extra` may have: further members of its JSON."""
_PID = os.getpid()
TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonFormatter(logging.Formatter):
    """One JSON object a line. `process` is what this process is called."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        fields = dict(getattr(record, FIELDS, {}))
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        at = datetime.fromtimestamp(record.created, UTC)
        said = record.getMessage()
        return json_line(at, record.levelname, record.name, self._process, said, fields).decode()


def json_line(
    at: datetime, level: str, logger: str, process: str, message: str, fields: Mapping[str, Any]
) -> bytes:
    """Return a line of the log as JSON, with the ids of what is worked on; without its end."""
    told: dict[str, Any] = {
        "time": at,
        "level": level,
        "logger": logger,
        "process": process,
        "pid": _PID,
        "message": message,
        **fields,
    }
    order_id, trace_id = tracing.id_only(ORDER_ID.get()), tracing.trace_id()
    if order_id is not None:
        told["order_id"] = order_id
    if trace_id is not None:
        told["trace_id"] = trace_id
    return to_json(told)


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
