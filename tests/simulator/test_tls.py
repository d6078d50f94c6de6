"""The simulator over TLS."""

import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trustme
from esme import Esme, submit_sm

from connector.errors import ConfigError
from simulator import Smsc
from simulator.scenario import AccountRules, Listen, Scenario
from simulator.tls import tls_of


def listening(**keys: str) -> Scenario:
    return Scenario(listen=Listen(smpp="127.0.0.1:0", tls="127.0.0.1:0", **keys))


@asynccontextmanager
async def connected(port: int, authority: bytes | None, host: str = "127.0.0.1") -> AsyncIterator[Esme]:
    context = ssl.create_default_context(cadata=None if authority is None else authority.decode())
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with trio.SSLStream(stream, context, server_hostname=host, https_compatible=True) as secured:
        yield Esme(secured)


async def test_a_carrier_that_signs_itself_is_trusted_with_its_authority(nursery: trio.Nursery) -> None:
    smsc = await nursery.start(Smsc(listening()).run)
    assert smsc.tls_port not in (0, smsc.port)
    for host in ("localhost", "127.0.0.1"):
        async with connected(smsc.tls_port, smsc.authority, host) as esme:
            assert await esme.bind() == 0
            assert (await esme.submitted(submit_sm(registered_delivery=1)))[0].command_status == 0
            await esme.delivered(1)
    async with await trio.open_tcp_stream("127.0.0.1", smsc.port) as plain:
        assert await Esme(plain).bind() == 0
    await smsc.wait_until(lambda numbers: sum(numbers.ends.values()) == 3)
    assert smsc.statistics().accepted == 2


async def test_who_does_not_trust_it_harms_nobody(nursery: trio.Nursery) -> None:
    smsc = await nursery.start(Smsc(listening()).run)
    async with connected(smsc.tls_port, None) as stranger:
        with pytest.raises(trio.BrokenResourceError) as caught:
            await stranger.bind()
        assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    async with await trio.open_tcp_stream("127.0.0.1", smsc.tls_port) as plain:
        with pytest.raises((AssertionError, trio.BrokenResourceError)):
            await Esme(plain).bind()
    await smsc.wait_until(lambda numbers: sum(numbers.ends.values()) == 2)
    assert smsc.statistics().bind_attempts == 0
    async with connected(smsc.tls_port, smsc.authority) as esme:
        assert await esme.bind() == 0


async def test_a_certificate_of_ones_own_is_shown(nursery: trio.Nursery, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("smsc.example")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    keys = {"cert": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
    smsc = await nursery.start(Smsc(listening(**keys)).run)
    assert smsc.authority is None
    async with connected(smsc.tls_port, authority.cert_pem.bytes(), "smsc.example") as esme:
        assert await esme.bind() == 0


async def test_an_unreadable_certificate_is_a_problem_of_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "empty.pem").write_text("")
    for name, reason in (("missing.pem", "No such file"), ("empty.pem", "they are no certificate and its key")):
        path = str(tmp_path / name)
        with pytest.raises(ConfigError, match=reason):
            await Smsc(listening(cert=path, key=path)).run()


def test_without_trustme_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(ConfigError, match="give cert and key"):
        tls_of(Listen(tls="127.0.0.1:0"))


async def test_without_tls_in_the_scenario_there_is_no_such_port(nursery: trio.Nursery) -> None:
    scenario = Scenario(listen=Listen(smpp="127.0.0.1:0"), account=(AccountRules(system_id="acme"),))
    smsc = await nursery.start(Smsc(scenario).run)
    assert (smsc.tls_port, smsc.authority) == (0, None)
