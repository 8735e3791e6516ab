"""Other versions of the system, to be deployed: copies of its code, good ones and bad ones."""

import shutil
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("actors", "cluster", "readmodel", "serve_app")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Fault:
    """What makes a version a bad one: `lines` behind the first line of a file that has `anchor`."""

    name: str
    file: str
    anchor: str
    lines: str


FAULTS = (
    Fault(
        "cannot be imported", "actors/payment/actor.py", "import ray\n", "import no_such_module\n"
    ),
    Fault(
        "payment fails in its start",
        "actors/payment/actor.py",
        "spare_garbage_collection()\n",
        '        raise RuntimeError("planted")\n',
    ),
    Fault(
        "an order host is never ready",
        "actors/order/actor.py",
        "Prove that the journal can be written",
        '        raise RuntimeError("planted")\n',
    ),
    Fault(
        "the gateway is not built",
        "serve_app/gateway.py",
        "def __serve_build_asgi_app__",
        '        raise RuntimeError("planted")\n',
    ),
    Fault(
        "the gateway answers 500",
        "serve_app/routes/stores.py",
        "List the stores with",
        '    raise RuntimeError("planted")\n',
    ),
    Fault(
        "an order host dies after 3 s",
        "actors/order/actor.py",
        "spare_garbage_collection()\n",
        "        import os\n        asyncio.get_running_loop().call_later(3, os._exit, 1)\n",
    ),
    Fault(
        "the projection fails in its place",
        "readmodel/projector.py",
        "        spare_garbage_collection()\n",
        '        raise RuntimeError("planted")\n',
    ),
    Fault(
        "replicas fail in their place",
        "serve_app/gateway.py",
        "        spare_garbage_collection()\n",
        "        from ray.serve.context import _get_internal_replica_context as replica\n"
        '        if replica() is not None:\n            raise RuntimeError("planted")\n',
    ),
    Fault(
        "the store hangs in its start",
        "actors/store/actor.py",
        "spare_garbage_collection()\n",
        "        import time\n        time.sleep(3600)\n",
    ),
)


def copy_of_code(folder: Path, fault: Fault | None = None) -> Path:
    """Copy the system's packages into a folder, with a fault if one is given, and return it.

    A process whose PYTHONPATH it is runs that version, on this installation's dependencies.
    """
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    if fault is not None:
        _plant(folder / fault.file, fault)
    return folder


def _plant(file: Path, fault: Fault) -> None:
    lines = file.read_text().splitlines(keepends=True)
    place = next(number for number, line in enumerate(lines, 1) if fault.anchor in line)
    file.write_text("".join([*lines[:place], fault.lines, *lines[place:]]))
