"""Place one order, work it through to pick-up, and print each step as the view shows it.

python -m cluster.drivers.follow_one_order
"""

import sys
from typing import Annotated

import typer

from actors.contracts.errors import SirenError
from cluster.client import NewOrder, Siren

ITEMS = (("americano", 2), ("bagel", 1))
PATIENCE_S = 30.0


def main(
    store: Annotated[str, typer.Option(help="The store that makes it.")] = "gangnam",
    name: Annotated[str, typer.Option(help="The customer's name.")] = "영욱",
) -> None:
    """Place one order on the running system, work it through to pick-up, and print each step.

    The system is the one of SIREN_DATA_DIR (or ./data), or of RAY_ADDRESS.
    """
    try:
        _follow(NewOrder("c-17", name, "010-1234-5678", store, ITEMS, "tok_approve"))
    except (SirenError, TimeoutError) as error:
        sys.exit(getattr(error, "detail", f"no more was heard of it within {PATIENCE_S:.0f} s"))


def _follow(order: NewOrder) -> None:
    with Siren.connect() as siren:
        placed = siren.place(order)
        order_id = placed["order_id"]
        print(f"{placed['order_status']:<10} {order_id}: {placed['total']} {placed['currency']}")
        accepted = siren.wait_for(order_id, "ACCEPTED", PATIENCE_S)
        print(f"           your number is {accepted['pickup_number']}")
        siren.start(order_id)
        siren.ready(order_id)
        siren.complete(order_id)
        detail = siren.wait_for(order_id, "PICKED_UP", PATIENCE_S)
        print(f"{detail['order_status']:<10} at {detail['picked_up_at']}")


if __name__ == "__main__":
    typer.run(main)
