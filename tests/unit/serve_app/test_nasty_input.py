"""Whatever comes in, the application never fails."""

import json
from pathlib import Path

from actors.settings import Settings
from tests.support.cursors import by_hand
from tests.support.http_contract import COMMANDS, LISTS, READS, changed, placed
from tests.support.in_process import client_of, in_process

NASTY_BODIES: list[bytes] = [
    b"",
    b"{}",
    b"null",
    b"\x00",
    b"\xff",
    b"[" * 50_000,
    b'{"reason": "\\u0000"}',
    b'{"reason": "\\udfff"}',
    json.dumps({"reason": "x" * 201}).encode(),
    json.dumps(changed("/items/0/quantity", -(10**30))).encode(),
    json.dumps(changed("/customer/name", "\u202e\ufeff\U0010ffff")).encode(),
    json.dumps({f"field{n}": n for n in range(3000)}).encode(),
]
NASTY_HEADERS: list[dict[bytes, bytes]] = [
    {},
    {b"Idempotency-Key": b"\x80\xff"},
    {b"Idempotency-Key": b"%00", b"Prefer": b"wait=0,,;=\xff,"},
    {b"Content-Type": b"\xff/; charset=\xff", b"Content-Length": b"-1", b"Prefer": b"wait=0"},
    {b"Last-Event-ID": b"\xb2", b"Host": b"", b"Prefer": b"wait=0"},
]
NASTY_QUERIES = ["", "?%00=%00&=&&", "?customer_id=%ed%a0%80", "?limit=1e3&cursor=%ff"]
NASTY_QUERIES += ["?min_version=%D9%A1", "?\u202e=1", f"?cursor={by_hand(1, chr(0))}"]


async def test_no_input_makes_the_application_fail(database_url: str, tmp_path: Path) -> None:
    """On PostgreSQL too, which takes neither NUL nor integers that are too large."""
    settings = Settings(data_dir=tmp_path)
    if "postgresql" in database_url:
        settings = Settings(database_url=database_url)
    async with in_process(settings) as siren, client_of(siren) as client:
        order_id = await placed(client)
        requests = [(method, path) for method, path, _ in [*COMMANDS, *READS]]
        for method, path in [*requests, ("POST", "/orders"), *LISTS]:
            if path.endswith("/stream"):
                continue  # of an order that exists it would not end
            address = path.replace("{id}", order_id)
            for query in NASTY_QUERIES:
                response = await client.request(method, address + query)
                assert response.status_code < 500, (method, path, query)
            for headers in NASTY_HEADERS:
                for body in NASTY_BODIES if method != "GET" else [b""]:
                    response = await client.request(method, address, content=body, headers=headers)
                    assert response.status_code < 500, (method, path, headers, body[:40])
