"""Power cuts need thousands of starts: what is compiled for one serves all others."""

from collections.abc import Iterator

import pytest

from tests.support.compiled_once import compiled_once


@pytest.fixture(scope="session", autouse=True)
def sharing_what_is_compiled() -> Iterator[None]:
    with compiled_once():
        yield
