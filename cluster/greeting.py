"""What `siren up` says: each step, where to click once all is up, and how it ended.

To people on its terminal; with `SIREN_LOG_FORMAT=json` as lines of its log, like all else.
"""

import logging
import time

from rich.markup import escape

from actors.contracts.errors import SirenError
from actors.runtime.lock_file import read_holder
from actors.runtime.logs import FIELDS, write_logs
from actors.settings import Settings
from cluster.operations.database_urls import elsewhere
from cluster.terminal import console, problems

logger = logging.getLogger("siren.up")


def teller(settings: Settings) -> "Teller":
    """Return who tells what becomes of a start that begins now."""
    write_logs(settings.log_format, "siren up")
    return JsonTeller(settings) if settings.log_format == "json" else Teller(settings)


class Teller:
    """Tells people, on the terminal."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._began = time.monotonic()

    def say(self, step: str) -> None:
        """Tell of a step of the start or of the end."""
        console.print(f"· {step}")

    def greet(self) -> None:
        """Tell that all is up, with addresses and places."""
        _greet(self._settings, time.monotonic() - self._began)

    def fail(self, error: SirenError) -> None:
        """Tell why it ended."""
        problems.print(f"[red]siren:[/red] {escape(error.detail)}", soft_wrap=True)

    def end(self) -> None:
        """Tell that it ended in good order."""
        console.print("stopped; every acknowledged order is in the journal")


class JsonTeller(Teller):
    """Tells the log."""

    def say(self, step: str) -> None:
        """Tell of a step of the start or of the end."""
        logger.info("%s", step.strip())

    def greet(self) -> None:
        """Tell that all is up, with addresses and places."""
        holder = read_holder(self._settings.data_dir.absolute())
        known = {name: holder[name] for name in ("url", "metrics", "dashboard") if holder.get(name)}
        seconds = round(time.monotonic() - self._began, 1)
        logger.info("Siren Order is up", extra={FIELDS: known | {"seconds": seconds}})

    def fail(self, error: SirenError) -> None:
        """Tell why it ended."""
        logger.error("%s", error.detail, extra={FIELDS: {"code": error.code}})

    def end(self) -> None:
        """Tell that it ended in good order."""
        logger.info("stopped; every acknowledged order is in the journal")


def _greet(settings: Settings, seconds: float) -> None:
    folder = settings.data_dir.absolute()
    holder = read_holder(folder)
    url = f"http://{settings.host}:{settings.port}"
    console.print(f"\n[bold]Siren Order is up[/bold] after {seconds:.0f} s: {url}")
    console.print(f"  {url}/                     order, as a customer")
    console.print(f"  {url}/board/gangnam        make it, as a barista")
    console.print(f"  {url}/owner/order-details  orders and payments")
    console.print(f"  {url}/docs                 every call, to try out")
    if settings.owner_mode:
        console.print("  no sign-in on this machine: everybody here is the owner")
    else:
        console.print("  sign-in is required: `siren token --role owner` prints a token")
    for place, services in elsewhere(settings).items():
        console.print(f"  {', '.join(services)} in {place}", soft_wrap=True)
    if dashboard := holder.get("dashboard"):
        console.print(f"  http://{dashboard}  Ray's dashboard")
    if metrics := holder.get("metrics"):
        console.print(f"  {metrics}  metrics, for Prometheus")
    console.print(f"  data in {folder}; Ctrl-C stops\n")
