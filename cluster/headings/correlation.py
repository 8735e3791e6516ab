"""Correlation: one id leads through all services, and what is sent twice is done once."""

import uuid
from collections.abc import AsyncIterator, Iterator

from cluster.headings.load import Labelled, Request, run
from cluster.headings.record import Heading, Outcome, all_of, at_least, at_most
from cluster.headings.site import Site
from cluster.headings.target import Target
from cluster.headings.workloads import STORES, order_id_of, place_request, placed

ORDERS = 1_000
FOLLOWED = 50
CONNECTIONS = 16
WITHIN_S = 120.0
FOUND = 200


class _Twice:
    """Orders that are sent twice with the same key, and what was answered to each."""

    def __init__(self, count: int) -> None:
        run_id = uuid.uuid4().hex[:8]
        self._keys = [f"{run_id}-{number}" for number in range(count)]
        self.answers: dict[str, list[str]] = {key: [] for key in self._keys}

    def sent(self, status: int) -> Iterator[Request]:
        """Return the orders; new ones are answered 201, known ones 200."""
        for key in self._keys:
            data = place_request(f"load-{key}", STORES[0], "tok_approve", key)
            yield Labelled(data, status, b'"order_id"', learn=self._learn(key))

    def _learn(self, key: str) -> "_Learn":
        return _Learn(self.answers[key])


class _Learn:
    def __init__(self, answers: list[str]) -> None:
        self._answers = answers

    def __call__(self, body: bytes) -> None:
        self._answers.append(order_id_of(body))


async def _measure(target: Target) -> AsyncIterator[Outcome]:
    site = await target.site()
    twice = _Twice(target.requests(ORDERS))
    errors = []
    for status in (201, 200):
        target.say(f"{len(twice.answers):,} orders are sent, each answered {status}")
        seen = await run(
            site.port, twice.sent(status), CONNECTIONS, WITHIN_S, lead=0, token=site.token
        )
        errors += seen.errors
    same = sum(len(ids) == 2 and len(set(ids)) == 1 for ids in twice.answers.values())  # noqa: PLR2004
    yield Outcome(
        f"{len(twice.answers):,} orders sent twice with the same key",
        f"{same:,} of {len(twice.answers):,} answered with the same order both times",
        all_of(at_least(same, len(twice.answers)), at_most(len(errors), 0)),
        {"same": same, "sent_twice": len(twice.answers), "failed": len(errors)},
        errors,
    )
    target.say(f"following {FOLLOWED} orders through all services")
    order_ids: list[str] = []
    await run(site.port, placed(FOLLOWED, order_ids.append), 4, WITHIN_S, lead=0, token=site.token)
    whole = [order_id for order_id in order_ids if await _is_everywhere(site, order_id)]
    yield Outcome(
        "an order's id, looked for in journal, payments, tickets and view",
        f"{len(whole)} of {FOLLOWED} found in all four",
        at_least(len(whole), FOLLOWED),
        {"followed": FOLLOWED, "found": len(whole)},
    )


async def _is_everywhere(site: Site, order_id: str) -> bool:
    answers = [
        await site.ask("GET", path)
        for path in (
            f"/orders/{order_id}/events",
            f"/payments?order_id={order_id}",
            f"/pickups?order_id={order_id}",
            f"/order-details/{order_id}?min_version=4",
        )
    ]
    return all(a.status == FOUND and a.body.get("items", True) for a in answers)


HEADING = Heading("correlation", "", _measure, limit_s=300)
