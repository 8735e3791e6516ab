"""What every process of the system does so that operators can see it: log, metrics, traces."""

from actors.runtime.logs import write_logs
from actors.runtime.metrics import count_nothing
from actors.runtime.metrics_export import export_metrics
from actors.runtime.tracing import begin_tracing
from actors.settings import Settings


def observe_process(process: str, settings: Settings, *, exported: bool = True) -> None:
    """Begin; `process` is what this one is called in all of them."""
    write_logs(settings.log_format, process)
    begin_tracing(settings.otlp_endpoint, process)
    if settings.metrics == "off":
        count_nothing()
    elif exported:
        export_metrics(process)
