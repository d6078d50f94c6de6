"""A disk that fills up, and one that fails, under a real process: what still works, what stops, and what is said."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from connector.client import Client
from connector.errors import ApiError
from connector.model import SendRequest
from tests.crash import child
from tests.crash.bench import Bench, bench, judged
from tests.stories.processes import KEY, _line_with, command, until

BALLAST_MB = 4


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 48 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("only root may mount a disk")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def _fill(folder: Path) -> Path:
    """Leave no room at all."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return filler


async def _send(client: Client, first: int, count: int = 100) -> int:
    """Hand over so many; return the status of the answer."""
    rows = [
        SendRequest(to=f"+4479{11_000_000 + number:08}", text=f"n{number} " * 60, lane="transactional")
        for number in range(first, first + count)
    ]
    try:
        verdicts = await client.send(rows)
    except ApiError as error:
        return error.status
    assert all(verdict.id for verdict in verdicts)
    return 202


async def _delivered(client: Client) -> int:
    found: int = (await client.verify())["messages"].get("delivered", 0)
    return found


@pytest.mark.slow
async def test_a_full_disk_stops_intake_first_and_what_is_under_way_is_still_kept(small_disk: Path) -> None:
    """Then room is made, and it recovers by itself."""
    async with bench(small_disk, 7, receipt_s=3.0) as it, it.life(ballast_mb=BALLAST_MB) as process:
        url = (await _line_with(process, "listening on")).split("listening on ")[1].split(",")[0]
        async with Client(url, key=KEY) as client, trio.open_nursery() as nursery:
            nursery.start_soon(it.drained, process)
            await until(lambda: _bound(it))
            assert await _send(client, 0, 1_000) == 202
            await until(lambda: _submitted(it, 2_000))
            filler = _fill(small_disk)
            assert (small_disk / "store.db.ballast").stat().st_size == BALLAST_MB * 1_000_000
            await until(lambda: _refused(client), within_s=15)
            # receipts come seconds after: they are acknowledged, so they are on disk
            await until(lambda: _all_delivered(client, 1_000), within_s=30)
            assert not (small_disk / "store.db.ballast").exists()
            assert await _send(client, 1_000) == 507
            filler.unlink()
            await until(lambda: _taken(client), within_s=15)
            await until(lambda: _all_delivered(client, 1_100), within_s=30)
            assert (small_disk / "store.db.ballast").stat().st_size == BALLAST_MB * 1_000_000
            assert (await client.verify())["ok"]
            nursery.cancel_scope.cancel()


async def _bound(it: Bench) -> bool:
    return it.smsc.statistics().binds > 0


async def _submitted(it: Bench, count: int) -> bool:
    return it.smsc.statistics().accepted >= count


async def _refused(client: Client) -> bool:
    return await _send(client, 5_000) == 507


async def _taken(client: Client) -> bool:
    return await _send(client, 1_000) == 202


async def _all_delivered(client: Client, at_least: int) -> bool:
    return await _delivered(client) >= at_least


@pytest.mark.slow
async def test_an_input_output_error_ends_the_process_with_one_sentence(tmp_path: Path) -> None:
    async with bench(tmp_path, 7) as it, it.life(child.IO_ERROR) as process:
        async with it.load(process):
            with trio.fail_after(20):
                assert await process.wait() == 1
        await it.settle()
        figures = judged(it)
    assert b"\ncarrierline: the store cannot be read or written: disk I/O error\n" in it.said
    assert figures.is_clean, figures


async def test_a_start_on_a_damaged_store_ends_with_one_sentence_and_the_way_out(tmp_path: Path) -> None:
    async with bench(tmp_path, 7) as it:
        await it.die_at("after the commit of answers")
        config, log = it.configured(), tmp_path / "store.db-wal"
        octets = bytearray(log.read_bytes())
        octets[16] ^= 1
        log.write_bytes(octets)
        done = await command("run", str(config))
    assert done.returncode == 1
    [said] = done.stderr.decode().splitlines()
    assert said.startswith(f"carrierline: the store {tmp_path}/store.db is damaged (the header of its write-ahead log")
    assert said.endswith(f"or save what can be read with: sqlite3 {tmp_path}/store.db .recover")


async def test_a_second_connector_on_one_store_refuses_and_the_first_does_not_mind(tmp_path: Path) -> None:
    async with bench(tmp_path, 7) as it:
        async with it.life() as process, it.load(process) as client:
            done = await command("run", str(it.configured()))
            assert done.returncode == 1
            assert b"another connector is running on" in done.stderr
            looked = await command("verify", "--store", str(tmp_path / "store.db"))
            assert looked.returncode == 0, looked.stdout
            assert (await client.verify())["ok"]
        await it.settle()
        assert judged(it).is_clean
