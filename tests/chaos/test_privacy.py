"""No name, phone number or card token where it does not belong: databases and logs are searched."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.support.outside import (
    accepted,
    assert_agreed,
    card,
    found,
    new_order,
    place,
    post,
    reaches,
)
from tests.support.system import ORDER_ACTOR, System


@dataclass
class Person:
    """Somebody whose data can be found again, wherever it went."""

    name: str = field(default_factory=lambda: f"Nara{uuid4().hex[:12]}")
    tel: str = field(default_factory=lambda: f"010-{uuid4().int % 10**12:012}")
    token: str = field(default_factory=lambda: f"tok_secret_{uuid4().hex}")

    def order(self, token: str | None = None) -> dict[str, Any]:
        """Return an order of this person."""
        order = new_order(token)
        order["customer"] |= {"name": self.name, "tel": self.tel}
        return order


@pytest.fixture(scope="module")
def person(system: System) -> Person:
    """Somebody who has tried everything: paid, cancelled, was declined, refused, crashed upon."""
    person = Person()
    done = accepted(system, person.order("tok_approve"))
    for button in ("start", "ready", "complete"):
        post(system, f"/pickups/{done}/{button}")
    post(system, f"/orders/{accepted(system, person.order('tok_approve'))}/cancel")
    declined = place(system, person.order(person.token))["order_id"]
    assert post(system, f"/orders/{declined}/payment", card(person.token)).status_code == 402
    system.kill(ORDER_ACTOR)
    place(system, person.order("tok_lost_reply"))
    refused = [
        person.order() | {"store_id": "nowhere"},
        person.order() | {"surprise": person.name},
        person.order() | {"customer": {"id": person.tel * 9, "name": person.name}},
    ]
    for order in refused:
        assert system.http.post("/orders", json=order).status_code == 422
    assert system.http.post("/orders", content=f'{{"{person.tel}"').status_code == 422
    return person


def test_events_hold_nothing_personal(system: System, person: Person) -> None:
    rows = [tuple(row) for row in system.sql("journal", "SELECT * FROM events")]
    assert rows
    for secret in (person.name, person.tel, person.token, "tok_", "010-1234-5678", "영욱"):
        assert secret not in repr(rows)


def test_the_answers_about_events_hold_nothing_personal(system: System, person: Person) -> None:
    order_id = accepted(system, person.order("tok_approve"))
    answer = system.http.get(f"/orders/{order_id}/events").text
    assert "OrderPlaced" in answer
    for secret in (person.name, person.tel, "tok_approve", "body_hash"):
        assert secret not in answer


@pytest.mark.parametrize("service", ["provider", "payments"])
def test_payment_and_provider_know_no_person(system: System, person: Person, service: str) -> None:
    for secret in (person.name, person.tel, person.token):
        assert found(secret, files(system.data_dir, service)) == []


def test_the_store_knows_the_name_on_the_ticket_and_nothing_else(
    system: System, person: Person
) -> None:
    for secret in (person.tel, person.token):
        assert found(secret, files(system.data_dir, "stores")) == []
    mine = "SELECT * FROM tickets WHERE customer_name = ?"
    tickets = system.sql("stores", mine, person.name)
    assert tickets
    for ticket in tickets:
        others = {name: ticket[name] for name in ticket.keys() if name != "customer_name"}  # noqa: SIM118
        assert person.name not in repr(others)


def test_the_view_knows_no_card_token(system: System, person: Person) -> None:
    assert found(person.token, files(system.data_dir, "readmodel")) == []


def test_a_card_token_is_forgotten_once_its_attempt_is_final(
    system: System, person: Person
) -> None:
    order_id = place(system, person.order(person.token))["order_id"]
    reaches(system, order_id, "PLACED")
    assert assert_agreed(system, order_id).token is None
    kept = "SELECT count(*) AS n FROM order_private WHERE payment_token = ?"
    assert system.sql("journal", kept, person.token)[0]["n"] == 0


def test_no_log_holds_anything_personal(system: System, person: Person) -> None:
    logs = [system.log, *(path for path in system.ray_logs().rglob("*") if path.is_file())]
    assert len(logs) > 10
    for secret in (person.name, person.tel, person.token):
        assert found(secret, logs) == []


def test_a_forgotten_customer_is_in_no_file(system: System) -> None:
    """Nor in a log: the command and the actors speak of orders."""
    leaving, staying = Person(), Person()
    customer = {"id": f"c-{uuid4().hex}", "name": leaving.name, "tel": leaving.tel}
    done, canceled, waiting = [
        accepted(system, new_order(customer=customer)),
        accepted(system, new_order(customer=customer)),
        place(system, new_order(None, customer=customer))["order_id"],
    ]
    for button in ("start", "ready", "complete"):
        post(system, f"/pickups/{done}/{button}")
    words = f"{leaving.name} is ill"
    post(system, f"/orders/{canceled}/cancel", {"reason": words}, key=f"key-of-{leaving.tel}")
    slow = card("tok_slow_25000")
    post(system, f"/orders/{waiting}/payment", slow, prefer="respond-async")
    reaches(system, accepted(system, staying.order("tok_approve")), "ACCEPTED")

    asked = system.siren("forget", customer["id"])
    assert asked.returncode == 1
    assert "--yes" in asked.stderr
    assert system.siren("forget", f"c-{uuid4().hex}", "--yes").returncode == 1

    told = system.siren("forget", customer["id"], "--yes")

    assert told.returncode == 0, told.stderr
    assert "forgot the customer of 3 orders" in told.stdout
    everything = [
        path
        for folder in (system.data_dir, system.ray_logs())
        for path in folder.rglob("*")
        if path.is_file()
    ]
    assert f"a payment is still under way for {waiting}" in " ".join(told.stdout.split())
    for secret in (leaving.name, leaving.tel):  # the words and the key have them in them
        assert found(secret, everything) == []
    assert found(staying.name, everything)
    for order_id in (done, canceled, waiting):
        detail = system.http.get(f"/order-details/{order_id}").json()
        assert detail["customer"] == {"id": customer["id"], "name": None, "tel": None}
    again = system.siren("forget", customer["id"], "--yes")
    assert again.returncode == 0
    assert "was forgotten before" in again.stdout
    payment = system.http.get("/payments", params={"order_id": done}).json()["items"]
    assert [each["status"] for each in payment] == ["APPROVED"]


def files(folder: Path, service: str) -> list[Path]:
    """Return a database's files, the write-ahead log included."""
    return sorted(folder.glob(f"{service}.db*"))
