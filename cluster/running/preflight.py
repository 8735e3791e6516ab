"""`python -m cluster.running.preflight` imports this version, and builds its application.

Reads an `Installation` (a pickle of whoever starts it) from its standard input. Touches neither a
database nor Ray.
"""

import asyncio
import pickle
import sys

from actors.installation import Installation


async def build(installation: Installation) -> None:
    """Build the application over a client that asks nobody."""
    from cluster.peers import PEERS  # noqa: PLC0415 - what is tried: it may fail
    from serve_app.app import build_app  # noqa: PLC0415 - as above
    from serve_app.backend import Backend  # noqa: PLC0415 - as above

    siren = Backend(installation, PEERS)
    build_app(siren, installation.settings.max_in_flight)
    await siren.close()


if __name__ == "__main__":
    asyncio.run(build(pickle.load(sys.stdin.buffer)))  # noqa: S301 - of our own parent
