"""The head's list of machines follows the YAML's, while Ray runs on: for `ray up --no-restart`.

Ray's provider for machines one has reads the YAML's addresses when it begins, and its list of them,
a file on the head, each time: one that joined would never be started, and of one that has left the
provider would want Ray back.
"""

import argparse
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

LOCK = Path("/tmp/ray/cluster-siren-order.lock")  # noqa: S108 - Ray's own, of all who change the list
NEW = {"tags": {"ray-node-type": "worker"}, "state": "terminated"}
"""As Ray notes a machine on which it is to be started."""


def followed(known: dict[str, Any], provider: dict[str, Any]) -> dict[str, Any]:
    """Return the list of the provider's machines alone, with what is known of them."""
    wanted = [provider["head_ip"], *provider["worker_ips"]]
    return {address: known.get(address, NEW) for address in wanted}


def main() -> None:
    """Bring a list that there is up to date."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("configuration", type=Path, help="what `ray up` gave to the head, in JSON")
    parser.add_argument("machines", type=Path, help="Ray's list")
    asked = parser.parse_args()
    provider = json.loads(asked.configuration.read_text())["provider"]
    if provider["type"] != "local":
        return
    with FileLock(LOCK), suppress(ValueError):  # half a list is thrown away at the head's start
        known = json.loads(asked.machines.read_text())
        new = asked.machines.with_suffix(".new")
        new.write_text(json.dumps(followed(known, provider)))
        new.replace(asked.machines)


if __name__ == "__main__":
    main()
