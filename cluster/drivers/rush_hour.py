"""A rush hour: many orders at once, with a progress bar, and how long they took.

python -m cluster.drivers.rush_hour --orders 2000 --at-once 64
"""

import asyncio
import random
import statistics
import sys
import time
from collections import Counter
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TimeRemainingColumn

from actors.contracts.errors import SirenError
from actors.order.new_order import NewOrder
from cluster.client import connect
from serve_app.backend import Backend

STORES = ("gangnam", "pangyo", "jeju")
MENU = ("americano", "latte", "bagel")


def main(
    orders: Annotated[int, typer.Option(min=1, help="How many orders to place.")] = 1000,
    at_once: Annotated[int, typer.Option(min=1, help="How many customers order at once.")] = 64,
) -> None:
    """Place many orders on the running system, and print rate and latencies.

    The system is the one of SIREN_DATA_DIR (or ./data), or of RAY_ADDRESS.
    """
    try:
        asyncio.run(_rush(orders, at_once))
    except SirenError as error:
        sys.exit(error.detail)


async def _rush(orders: int, at_once: int) -> None:
    siren = await connect()
    customers = iter(range(orders))
    outcomes: Counter[str] = Counter()
    seconds: list[float] = []
    columns = (SpinnerColumn(), *Progress.get_default_columns()[:2], MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        bar = progress.add_task("orders", total=orders)

        async def customer() -> None:
            for number in customers:
                began = time.perf_counter()
                outcomes[await _order(siren, number)] += 1
                seconds.append(time.perf_counter() - began)
                progress.advance(bar)

        began = time.perf_counter()
        await asyncio.gather(*(customer() for _ in range(at_once)))
        elapsed = time.perf_counter() - began
    await siren.close()
    for outcome, count in outcomes.most_common():
        print(f"{outcome:<12} {count}")
    print(
        f"{orders / elapsed:,.0f} orders a second, p50 {_milliseconds(seconds, 50):.0f} ms,", end=""
    )
    print(f" p99 {_milliseconds(seconds, 99):.0f} ms")


async def _order(siren: Backend, number: int) -> str:
    order = NewOrder(
        customer_id=f"rush-{number}",
        name="Rush Hour",
        tel="010-0000-0000",
        store_id=random.choice(STORES),
        items=((random.choice(MENU), random.randint(1, 3)),),
        token="tok_approve",
    )
    try:
        return (await siren.place(order, wait=10)).order_status
    except SirenError as error:
        return error.code


def _milliseconds(seconds: list[float], percentile: int) -> float:
    if len(seconds) == 1:
        return seconds[0] * 1000
    return statistics.quantiles(seconds, n=100)[percentile - 1] * 1000


if __name__ == "__main__":
    typer.run(main)
