"""What a text may be: nobody is called nothing."""

import pytest

from actors.contracts.errors import Invalid
from actors.contracts.texts import check_tel, check_text, check_visible_ascii, reads_as_empty

EMPTY = [
    "",
    " ",
    " \t ",
    "\u3000\u3000",  # ideographic space
    "\u00a0\u2003\u202f",  # other spaces
    "\u200b",  # zero width space
    "\ufeff",  # byte order mark
    "\u2060\u200d\u200c",  # joiners
    "\u3164",  # Hangul filler
    "\u115f\u1160",  # Hangul choseong and jungseong filler
    "\uffa0",  # halfwidth Hangul filler
    "\u2800",  # braille pattern blank
    "\u00ad\u034f\u061c\u180e",  # soft hyphen, joiner, marks
    "\u0301\u20dd\ufe0f",  # combining marks without a letter
    "\U000e0041\U000e0100",  # tags and variation selectors
    "\x00\x07",
    "\ud800",
    "\ue000\uffff",  # private use, and no character at all
]
SEEN = ["영욱", "A", "1", "?", "☕", "👩\u200d🍳", "é", "e\u0301", "नि", " x ", "\u2800.", "·"]


@pytest.mark.parametrize("text", EMPTY, ids=ascii)
def test_what_nobody_can_see_reads_as_empty(text: str) -> None:
    assert reads_as_empty(text)
    with pytest.raises(Invalid) as refused:
        check_text(text, "/name", 40)
    assert (refused.value.code, refused.value.pointer) == ("invalid_request", "/name")


@pytest.mark.parametrize("text", SEEN, ids=ascii)
def test_what_can_be_seen_is_a_text(text: str) -> None:
    assert not reads_as_empty(text)
    check_text(text, "/name", 40)


@pytest.mark.parametrize(
    "text",
    [
        *("a\x00", "a\nb", "a\x7f", "a\u2028", "a\ud800", "\udfffa"),
        *("a\u202eb", "a\u2066b", "\u200fa"),
        *("x" * 41, None, 7, b"name", ["name"]),
    ],
    ids=ascii,
)
def test_what_cannot_be_written_on_a_ticket_is_refused(text: object) -> None:
    """Among it what turns the direction of writing, and with it the rest of the board's line."""
    with pytest.raises(Invalid) as refused:
        check_text(text, "/name", 40)
    assert refused.value.pointer == "/name"


@pytest.mark.parametrize(
    "tel",
    [
        "010-1234-5678",
        "01012345678",
        "+82 10 1234 5678",
        "+82-(0)10-1234-5678",
        "(02) 123-4567",
        "1588-1234",
        "123-4567",
        "+1 (212) 555-0100 x12",
        "212.555.0100 ext. 9",
        "010\u20131234\u20135678",
    ],
)
def test_a_phone_number_is_taken_as_people_write_it(tel: str) -> None:
    check_tel(tel, "/tel")


@pytest.mark.parametrize(
    "tel",
    [
        *("abc", "전화", "-", "()", " ", "", "1", "112", "1" * 16, "0" * 33, "\u0660" * 8),
        *("++821012345678", "12+34567", "010-1234-567a", "010-1234-5678x", "010-1234-5678\n"),
        *(None, 1012345678),
    ],
    ids=ascii,
)
def test_what_cannot_be_dialled_is_no_phone_number(tel: object) -> None:
    with pytest.raises(Invalid) as refused:
        check_tel(tel, "/tel")
    assert refused.value.pointer == "/tel"


@pytest.mark.parametrize("text", ["", "a b", "키", "a\n", "\x00", "x" * 9, None, 1], ids=ascii)
def test_an_id_has_visible_ascii_characters_alone(text: object) -> None:
    with pytest.raises(Invalid):
        check_visible_ascii(text, "/id", 8)
