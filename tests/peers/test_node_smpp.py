"""node-smpp, the SMPP library of the npm world, as the carrier."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from connector.model import SendRequest
from tests.peers.foreign import Foreign, foreign
from tests.peers.load import COUNT, all_are, carrying, number_of

HERE = Path(__file__).parent
NPM = shutil.which("npm")

pytestmark = [
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.skipif(NPM is None or shutil.which("node") is None, reason="node and npm are not installed"),
]


def _cache() -> Path:
    """Return a folder outside the tree whose name says what it holds."""
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches / "carrierline-tests" / f"node-smpp-{lock}"


def _keep(fresh: Path, kept: Path) -> None:
    try:
        fresh.rename(kept)
    except OSError:
        if not kept.is_dir():  # it is, where another run was faster
            raise


@pytest.fixture(scope="module")
def modules() -> str:
    """The folder with the pinned packages, from an earlier run or from the registry; whole or not there at all."""
    assert NPM
    kept = _cache()
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as fresh:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, fresh)
            install = [NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            ended = subprocess.run(install, cwd=fresh, capture_output=True, text=True, timeout=60, check=False)
            if ended.returncode:
                pytest.skip(f"npm cannot install the pinned node-smpp: {ended.stderr.strip()[-300:]}")
            _keep(Path(fresh) / "node_modules", kept)
    return str(kept)


@asynccontextmanager
async def node_smsc(modules: str, **environ: str) -> AsyncIterator[tuple[Foreign, int]]:
    """Run the carrier; yield it with its port."""
    async with foreign("node", str(HERE / "node_smsc.js"), environ={"NODE_PATH": modules, **environ}) as smsc:
        yield smsc, int(await smsc.line_with(""))


async def counts(smsc: Foreign) -> dict[str, Any]:
    """End it; return what it counted."""
    smsc.running.terminate()
    counted: dict[str, Any] = json.loads((await smsc.ended())[-1])
    return counted


async def carry_to(smsc: Foreign, port: int, folder: Path, count: int, *, more: str = "") -> None:
    """Carry so many messages in one session, from bind to unbind; every one must be told apart and delivered."""
    async with carrying(folder, port, "transceiver", more=more) as carried:
        await carried.send(count)
        await all_are(carried, "delivered", count)
        await carried.stop()
    counted = await counts(smsc)
    del counted["some"]
    assert counted == {
        "binds": 1,
        "unbinds": 1,
        "submits": count,
        "distinct": count,
        "receipts": count,
        "receipts_answered": count,
        "refused": {},
        "errors": [],
    }
    found = await carried.verified()
    assert (found["messages"], found["parked"]) == ({"delivered": count}, 0)


async def test_node_smpp_takes_ten_thousand_messages_and_every_receipt_finds_its_message(
    modules: str, tmp_path: Path
) -> None:
    async with node_smsc(modules) as (smsc, port):
        await carry_to(smsc, port, tmp_path, COUNT)


async def test_node_smpp_takes_a_thousand_messages_over_tls(modules: str, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("smpp.north.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "north.pem")
    tls = f'tls = {{ ca_file = "{tmp_path}/ca.pem", server_name = "smpp.north.example" }}'
    async with node_smsc(modules, TLS_CERTIFICATE=str(tmp_path / "north.pem")) as (smsc, port):
        await carry_to(smsc, port, tmp_path, 1_000, more=tls)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("100 € [now] {or} ~never~ | \\ ^", id="extension-table"),
        pytest.param("@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ", id="default-alphabet"),
        pytest.param("Привет 你好", id="UCS-2"),
        pytest.param("done 🎉", id="surrogates"),
    ],
)
async def test_node_smpp_reads_a_text_as_it_was_written(modules: str, tmp_path: Path, text: str) -> None:
    async with node_smsc(modules) as (smsc, port):
        async with carrying(tmp_path, port, "transceiver") as carried:
            [verdict] = await carried.client.send([SendRequest(to=number_of(1), text=text)])
            assert verdict.accepted
            await all_are(carried, "delivered", 1)
            await carried.stop()
        assert (await counts(smsc))["some"] == [text]


async def test_node_smpp_reads_the_parts_of_a_long_text_which_make_the_text(modules: str, tmp_path: Path) -> None:
    text = "a text that goes on and on, and on. " * 20
    async with node_smsc(modules) as (smsc, port):
        async with carrying(tmp_path, port, "transceiver") as carried:
            await carried.client.send([SendRequest(to=number_of(1), text=text)])
            await all_are(carried, "delivered", 1)
            await carried.stop()
        counted = await counts(smsc)
    assert counted["submits"] == counted["receipts_answered"] > 1
    assert "".join(counted["some"]) == text
