"""Long forms of what `make test` holds in short: each test says for how long it may run."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
LONG = pytest.mark.timeout(3 * 3600)
"""What hangs still ends, if not as soon as in the short forms."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and not item.get_closest_marker("timeout"):
            item.add_marker(LONG)
