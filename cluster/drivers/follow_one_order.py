"""Place one order, work it through to pick-up, and print each step as the view shows it.

python -m cluster.drivers.follow_one_order
"""

import sys

from actors.client import NewOrder, Siren
from actors.domain.errors import Unavailable

ORDER = NewOrder(
    customer_id="c-17",
    name="영욱",
    tel="010-1234-5678",
    store_id="gangnam",
    items=(("americano", 2), ("bagel", 1)),
    token="tok_approve",
)


def main() -> None:
    """Place, start, call and hand over one order."""
    with Siren.connect() as siren:
        order = siren.place(ORDER)
        order_id = order["order_id"]
        print(f"{order['order_status']:<10} {order_id}: {order['total']} {order['currency']}")
        print(f"           your number is {order['pickup_number']}")
        siren.start(order_id)
        siren.ready(order_id)
        siren.complete(order_id)
        detail = siren.wait_for(order_id, "PICKED_UP")
        print(f"{detail['order_status']:<10} at {detail['picked_up_at']}")


if __name__ == "__main__":
    try:
        main()
    except Unavailable as error:
        sys.exit(error.detail)
