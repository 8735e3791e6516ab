"""A mapping that grows in constant time and never changes."""

from actors.order.domain.growing import GrowingMap

EMPTY: GrowingMap[int] = GrowingMap()


def test_what_is_added_is_found_in_the_order_in_which_it_came() -> None:
    grown = EMPTY.plus("b", 1).plus("a", 2)

    assert (grown.get("b"), grown.get("a"), grown.get("c"), len(grown)) == (1, 2, None, 2)
    assert grown.items() == [("b", 1), ("a", 2)]


def test_a_map_does_not_see_what_grew_out_of_it() -> None:
    first = EMPTY.plus("a", 1)
    second = first.plus("b", 2)

    assert (first.get("b"), first.items()) == (None, [("a", 1)])
    assert (second.get("b"), len(EMPTY), EMPTY.get("a")) == (2, 0, None)


def test_two_maps_may_grow_out_of_one() -> None:
    """As where an append was refused, and the order decides again on what it was."""
    first = EMPTY.plus("a", 1)
    lost, won = first.plus("b", 2), first.plus("c", 3).plus("b", 4)

    assert lost.items() == [("a", 1), ("b", 2)]
    assert won.items() == [("a", 1), ("c", 3), ("b", 4)]
    assert first.plus("b", 2) == lost != won


def test_a_key_keeps_its_first_value() -> None:
    grown = EMPTY.plus("a", 1)

    assert grown.plus("a", 2) is grown


def test_growing_copies_nothing() -> None:
    grown = EMPTY
    for number in range(1000):
        grown = grown.plus(str(number), number)
    longer = grown.plus("last", 1000)

    assert longer._shared is grown._shared
