"""What a text of a person's or a program's may be. All raise `Invalid` with the field's pointer.

Unicode has hundreds of characters that show nothing: a name made of them is no name, and on a board
it is an empty line.
"""

import re
from unicodedata import category

from actors.contracts.errors import Invalid
from actors.contracts.limits import MAX_TEL

# Fillers of Hangul and hieroglyphs, the braille pattern without a dot, a note without a head, the
# place of an object that is not there: to Unicode letters and symbols, to the eye nothing.
_BLANK = frozenset("\u115f\u1160\u3164\uffa0\u2800\U00013441\U00013442\U0001d159\ufffc")
# Controls and line ends have no place on a ticket; NUL is one of them, which PostgreSQL refuses.
# Lone surrogates are no text that could be sent or stored. What turns the direction of writing
# would turn the rest of the board's line with it.
_FORBIDDEN = re.compile(
    "[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff"
    "\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]"
)
_VISIBLE_ASCII = re.compile("[!-~]+").fullmatch
# A local number has 7 digits at least, an international one 15 at most (ITU-T E.164).
_BETWEEN = r"[ ().\-/\u00a0\u2010-\u2013]*"
_TEL = re.compile(
    rf"\+?(?:{_BETWEEN}[0-9]){{7,15}}{_BETWEEN}(?:(?:[xX#]|[eE]xt\.?) ?[0-9]{{1,6}})?"
).fullmatch


def reads_as_empty(text: str) -> bool:
    """Whether a reader sees nothing: only spaces, fillers, controls, or marks without a letter."""
    return not any(map(shows, text))


def shows(character: str) -> bool:
    """Whether a character is to be seen when it stands alone."""
    # Controls, formats, surrogates and what is not assigned; separators; combining marks.
    return category(character)[0] not in "CZM" and character not in _BLANK


def check_text(text: object, pointer: str, most: int) -> None:
    """Refuse what is no text for people of 1 to `most` characters."""
    if not isinstance(text, str) or not 1 <= len(text) <= most:
        raise invalid(f"Must be a text of 1 to {most} characters", pointer)
    if not text.isprintable() and _FORBIDDEN.search(text):
        raise invalid("Has characters that are not allowed here", pointer)
    if not shows(text[0]) and reads_as_empty(text):
        raise invalid("Must not read as empty", pointer)


def check_visible_ascii(text: object, pointer: str, most: int) -> None:
    """Refuse what is no id, key or token of 1 to `most` visible ASCII characters."""
    if not is_visible_ascii(text, most):
        raise invalid(f"Must have 1 to {most} visible ASCII characters", pointer)


def is_visible_ascii(text: object, most: int) -> bool:
    """Whether a value is a text of 1 to `most` visible ASCII characters."""
    return isinstance(text, str) and len(text) <= most and bool(_VISIBLE_ASCII(text))


def check_tel(tel: object, pointer: str) -> None:
    """Refuse what cannot be a phone number, local or international; an extension may follow."""
    check_text(tel, pointer, MAX_TEL)
    assert isinstance(tel, str)
    if not _TEL(tel):
        raise invalid("Must be a phone number, like 010-1234-5678 or +82 10 1234 5678", pointer)


def invalid(detail: str, pointer: str) -> Invalid:
    """Return the error of a field whose value is not valid."""
    return Invalid("invalid_request", f"The request is not valid, at {pointer}: {detail}.", pointer)
