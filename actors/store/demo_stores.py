"""The stores and menus that an empty database begins with."""

from typing import Any

CURRENCY = "KRW"  # has no minor unit: 4500 is ₩4,500
TIME_ZONE = "Asia/Seoul"

_STORES = [("gangnam", "Gangnam", 45), ("pangyo", "Pangyo", 60), ("jeju", "Jeju", 90)]

_MENU = [
    ("americano", "Americano", 4500),
    ("latte", "Latte", 5000),
    ("cappuccino", "Cappuccino", 5000),
    ("vanilla-latte", "Vanilla Latte", 5500),
    ("mocha", "Mocha", 5500),
    ("cold-brew", "Cold Brew", 4900),
    ("espresso", "Espresso", 4000),
    ("green-tea-latte", "Green Tea Latte", 5900),
    ("earl-grey", "Earl Grey", 4500),
    ("bagel", "Bagel", 3500),
    ("croissant", "Croissant", 3900),
    ("cheesecake", "Cheesecake", 6500),
]

_SPECIALS = {
    "gangnam": ("citron-tea", "Citron Tea", 5700),
    "pangyo": ("sweet-potato-latte", "Sweet Potato Latte", 5900),
    "jeju": ("tangerine-ade", "Jeju Tangerine Ade", 6300),
}


def store_rows() -> list[dict[str, Any]]:
    """Return rows of `stores`: open, unlimited, with no ticket yet."""
    return [
        {
            "store_id": store_id,
            "name": name,
            "time_zone": TIME_ZONE,
            "currency": CURRENCY,
            "open": True,
            "capacity": None,
            "prepare_s": prepare_s,
            "queued": 0,
            "ready": 0,
            "number_day": "",
            "last_number": 0,
            "numbering": None,
        }
        for store_id, name, prepare_s in _STORES
    ]


def menu_rows() -> list[dict[str, Any]]:
    """Return rows of `menu_items`: what every store sells, then the store's own special."""
    return [
        {
            "store_id": store_id,
            "menu_id": menu_id,
            "name": name,
            "price": price,
            "sold_out": False,
            "sort_order": sort_order,
        }
        for store_id, special in _SPECIALS.items()
        for sort_order, (menu_id, name, price) in enumerate([*_MENU, special])
    ]
