"""Programs that nobody here wrote, as processes: what they say is gathered, and they end with the block."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

import attrs
import trio


@attrs.define
class Foreign:
    """A foreign process and what it has said so far, on both its streams."""

    running: trio.Process
    said: bytearray = attrs.field(factory=bytearray)
    silent: trio.Event = attrs.field(factory=trio.Event)
    """Set when its streams are closed."""
    _more: trio.Event = attrs.field(factory=trio.Event)

    async def listen(self) -> None:
        """Gather what it says until it says no more."""
        assert self.running.stdout is not None
        async for chunk in self.running.stdout:
            self.said += chunk
            self._more.set()
        self.silent.set()
        self._more.set()

    @property
    def lines(self) -> list[str]:
        """The whole lines so far."""
        return self.said.decode(errors="replace").split("\n")[:-1]

    async def line_with(self, words: str, *, within_s: float = 10.0) -> str:
        """Return the first line that holds these words."""
        with trio.fail_after(within_s):
            while not (found := [line for line in self.lines if words in line]):
                assert not self.silent.is_set(), f"ended without saying {words!r}: {self.lines[-20:]}"
                self._more = trio.Event()
                await self._more.wait()
        return found[0]

    async def ended(self, *, within_s: float = 10.0) -> list[str]:
        """Wait for its end; return all it said."""
        with trio.fail_after(within_s):
            await self.silent.wait()
            await self.running.wait()
        return self.lines


@asynccontextmanager
async def foreign(*arguments: str, environ: Mapping[str, str] | None = None) -> AsyncIterator[Foreign]:
    """Run a foreign command until the block ends."""
    async with trio.open_nursery() as nursery:
        run = partial(
            trio.run_process,
            list(arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environ or {})},
            check=False,
        )
        peer = Foreign(await nursery.start(run))
        nursery.start_soon(peer.listen)
        try:
            yield peer
        finally:
            peer.running.kill()
            sys.stderr.write("\n".join(peer.lines[-40:]))  # pytest shows it when a test fails
