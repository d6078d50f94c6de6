from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.world import World, config, world


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[World]:
    """A connector whose door is open."""
    async with world(config(tmp_path)) as opened:
        yield opened
