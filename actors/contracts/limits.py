"""The limits of the business, in one place: whoever repeats one takes it from here.

Money is in the currency's minor unit; lengths are in characters.
"""

MAX_LINES = 50
MAX_QUANTITY = 99
MAX_ATTEMPTS = 10
"""Payments an order may ask for. More would let it try out other people's cards."""

MAX_PRICE = 10_000_000
MAX_TOTAL = 2**53 - 1
"""The largest integer that every reader of JSON keeps exactly; databases have room for more."""
MAX_CAPACITY = 100_000

MAX_ID = 64
MAX_KEY = 255
MAX_COMMAND_ID = 300
MAX_TOKEN = 255
MAX_NAME = 40
MAX_TEL = 32
MAX_REASON = 200

MAX_WAIT_S = 30
MAX_PAGE = 200
