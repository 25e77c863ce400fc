from collections.abc import Iterator

import pytest

from resident.leaks.journal import journal


@pytest.fixture
def _empty_journal() -> Iterator[None]:
    """Nothing was found in this process, and nothing of it stays."""
    journal.clear()
    yield
    journal.clear()
