"""Virtual time over real sockets."""

import pytest
from trio.testing import MockClock


@pytest.fixture
def jumping_clock() -> MockClock:
    """A clock that jumps when for a millisecond nothing happened: what is under way on the loopback arrives before."""
    return MockClock(autojump_threshold=0.001)
