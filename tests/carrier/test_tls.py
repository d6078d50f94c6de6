"""TLS under a bind, over real sockets: the simulator behind a TLS port, and peers that are none."""

import logging
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from connector.carrier.link import connect_tcp
from connector.config import BindConfig, Credentials, TlsConfig
from connector.model import Answer
from simulator import Smsc
from simulator.scenario import Listen, Scenario
from tests.carrier.links import Scene, now, parts, scene

NAME = "smsc.example"
Blocking = Callable[[socket.socket], None]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pinned(ca: trustme.CA, tmp_path: Path) -> str:
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture
def ours(ca: trustme.CA, tmp_path: Path) -> str:
    """A certificate of ours, its key in the same file."""
    ca.issue_cert("acme.example").private_key_and_cert_chain_pem.write_to_path(tmp_path / "ours.pem")
    return str(tmp_path / "ours.pem")


def server_context(ca: trustme.CA, *names: str, **options: Any) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(*(names or (NAME,)), **options).configure_cert(context)
    return context


def asking(context: ssl.SSLContext, ca: trustme.CA) -> ssl.SSLContext:
    """Let the server ask for a certificate of this authority."""
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    return context


async def tls_smsc(nursery: trio.Nursery, context: ssl.SSLContext) -> tuple[Smsc, int]:
    smsc = Smsc()
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, smsc.serve_stream, [trio.SSLListener(listener, context)])
    return smsc, listener.socket.getsockname()[1]


async def peer(nursery: trio.Nursery, talk: Blocking) -> int:
    """Accept one connection in a thread and talk the blocking way, as peers do that are not ours."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        with listener:
            connection, _ = listener.accept()
            connection.settimeout(10)
            with connection:
                talk(connection)

    nursery.start_soon(trio.to_thread.run_sync, serve)
    return int(listener.getsockname()[1])


@asynccontextmanager
async def bind_to(port: int, tls: TlsConfig | None, **settings: Any) -> AsyncIterator[Scene]:
    """A carrier of ours with one bind, over the network that is there."""
    values = {"host": "127.0.0.1", "port": port, "tls": tls or False, "reconnect_min_s": 0.01, **settings}
    credentials = BindConfig(system_id="acme", **values).read_credentials({})
    async with scene(values, credentials=credentials, connect=connect_tcp) as it:
        with trio.fail_after(10):
            yield it


async def reason(it: Scene) -> str:
    """Wait for the end of the first link and return why it ended."""
    await it.until(lambda: it.carrier.statistics().binds[0].next_try_at and it.states != ["bound"])
    return it.carrier.statistics().binds[0].reason


def slow(it: Scene) -> bool:
    """Whether the next try is far away: what is wrong does not mend by itself."""
    at = it.carrier.statistics().binds[0].next_try_at
    return at is not None and at - now() > 50


# --- what works -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_it_binds_and_submits_under_tls(
    nursery: trio.Nursery, ca: trustme.CA, pinned: str, version: ssl.TLSVersion
) -> None:
    context = server_context(ca)
    context.minimum_version = context.maximum_version = version
    smsc, port = await tls_smsc(nursery, context)
    async with bind_to(port, TlsConfig(ca_file=pinned, server_name=NAME)) as it:
        await it.submit(parts(50))
        await it.until(lambda: len(it.desk.of(Answer)) == 50)
        assert smsc.statistics().accepted == 50
        await it.carrier.drain()
    await smsc.wait_until(lambda numbers: numbers.ends == {"unbound": 1})


async def test_the_host_is_the_name_unless_another_is_given(nursery: trio.Nursery, ca: trustme.CA, pinned: str) -> None:
    _, port = await tls_smsc(nursery, server_context(ca, "127.0.0.1"))
    async with bind_to(port, TlsConfig(ca_file=pinned)) as it:
        await it.until(lambda: it.states == ["bound"])


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_carrier_that_asks_gets_our_certificate(
    nursery: trio.Nursery, ca: trustme.CA, pinned: str, ours: str, version: ssl.TLSVersion
) -> None:
    context = asking(server_context(ca), ca)
    context.maximum_version = version
    _, port = await tls_smsc(nursery, context)
    async with bind_to(port, TlsConfig(ca_file=pinned, server_name=NAME, certificate_file=ours)) as it:
        await it.until(lambda: it.states == ["bound"])


async def test_the_name_is_sent_so_that_one_address_can_serve_many(
    nursery: trio.Nursery, ca: trustme.CA, pinned: str
) -> None:
    asked: list[str | None] = []
    context = server_context(ca)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    _, port = await tls_smsc(nursery, context)
    async with bind_to(port, TlsConfig(ca_file=pinned, server_name=NAME)) as it:
        await it.until(lambda: it.states == ["bound"])
    assert asked == [NAME]


# --- whom we do not trust ---------------------------------------------------------------------------------------------


async def test_a_certificate_for_other_names_is_no_bind(
    nursery: trio.Nursery, ca: trustme.CA, pinned: str, caplog: pytest.LogCaptureFixture
) -> None:
    smsc, port = await tls_smsc(nursery, server_context(ca, "other.example"))
    async with bind_to(port, TlsConfig(ca_file=pinned, server_name=NAME)) as it:
        assert (await reason(it)).startswith(f"certificate of 127.0.0.1:{port} is for other names: ")
        assert not (await reason(it)).endswith(".")
        assert slow(it)
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert smsc.statistics().binds == 0


@pytest.mark.parametrize(
    ("pin", "dates", "words"),
    [
        (False, {}, "unable to get local issuer certificate"),
        (True, {"not_after": datetime(2020, 1, 2, tzinfo=UTC)}, "certificate has expired"),
    ],
)
async def test_a_certificate_that_is_not_trusted_is_no_bind(
    nursery: trio.Nursery, ca: trustme.CA, pinned: str, pin: bool, dates: dict[str, Any], words: str
) -> None:
    _, port = await tls_smsc(nursery, server_context(ca, **dates))
    async with bind_to(port, TlsConfig(ca_file=pinned if pin else None, server_name=NAME)) as it:
        assert await reason(it) == f"certificate of 127.0.0.1:{port} not trusted: {words}"
        assert slow(it)


async def test_a_certificate_put_right_is_tried_at_once(
    nursery: trio.Nursery, ca: trustme.CA, pinned: str, tmp_path: Path
) -> None:
    _, port = await tls_smsc(nursery, server_context(ca))
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    async with bind_to(port, TlsConfig(ca_file=str(tmp_path / "other.pem"), server_name=NAME)) as it:
        assert "not trusted" in await reason(it)
        it.carrier.renew([Credentials("secret", TlsConfig(ca_file=pinned).read("bind", {}))])
        await it.until(lambda: it.states == ["bound"])


# --- who does not trust us --------------------------------------------------------------------------------------------


def tls_peer(context: ssl.SSLContext) -> Blocking:
    """A blocking TLS server that tells in an alert what it does not like, and waits for the other end to close."""

    def talk(connection: socket.socket) -> None:
        link = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with pytest.raises(OSError):  # noqa: PT012 - wherever it notices
            link.do_handshake()
            link.recv(1)
            raise ConnectionError
        with socket.socket(fileno=link.detach()) as plain:
            plain.settimeout(10)
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(4_096):
                pass

    return talk


WANTED = "the carrier wants a certificate of ours (tls.certificate_file)"


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (ssl.TLSVersion.TLSv1_2, "refused the TLS handshake: no common ciphers, or a certificate is missing"),
        (ssl.TLSVersion.TLSv1_3, WANTED),
    ],
)
async def test_a_certificate_of_ours_that_is_missing_is_said(
    nursery: trio.Nursery, ca: trustme.CA, pinned: str, version: ssl.TLSVersion, words: str
) -> None:
    context = asking(server_context(ca), ca)
    context.maximum_version = version
    port = await peer(nursery, tls_peer(context))
    async with bind_to(port, TlsConfig(ca_file=pinned, server_name=NAME)) as it:
        assert (await reason(it)).endswith(words)
        assert slow(it)


async def test_a_certificate_of_ours_that_is_not_accepted_is_said(
    nursery: trio.Nursery, ca: trustme.CA, pinned: str, ours: str
) -> None:
    port = await peer(nursery, tls_peer(asking(server_context(ca), trustme.CA())))
    async with bind_to(port, TlsConfig(ca_file=pinned, server_name=NAME, certificate_file=ours)) as it:
        assert "does not accept our certificate" in await reason(it)
        assert slow(it)


async def test_a_carrier_with_old_tls_only_is_said(nursery: trio.Nursery, ca: trustme.CA, pinned: str) -> None:
    context = server_context(ca)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    port = await peer(nursery, tls_peer(context))
    async with bind_to(port, TlsConfig(ca_file=pinned, server_name=NAME, minimum_version="1.3")) as it:
        assert await reason(it) == (
            f"127.0.0.1:{port} speaks no version of TLS that is allowed here (tls.minimum_version)"
        )


# --- peers that are something else ------------------------------------------------------------------------------------


async def test_tls_to_a_plain_smpp_port_is_asked_about_and_not_tried_soon(nursery: trio.Nursery, pinned: str) -> None:
    smsc = await nursery.start(Smsc(Scenario(listen=Listen(smpp="127.0.0.1:0"))).run)
    async with bind_to(smsc.port, TlsConfig(ca_file=pinned)) as it:
        assert await reason(it) == (
            f"127.0.0.1:{smsc.port} closed the link in the TLS handshake: does the port speak TLS?"
        )
        assert slow(it)
    assert any("TLS" in end for end in smsc.statistics().ends), "and the simulator says what it saw"


async def test_tls_to_a_web_server_is_said(nursery: trio.Nursery, pinned: str) -> None:
    def web(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        connection.recv(10_000)

    port = await peer(nursery, web)
    async with bind_to(port, TlsConfig(ca_file=pinned)) as it:
        assert await reason(it) == f"127.0.0.1:{port} does not speak TLS"
        assert slow(it)


async def test_plain_smpp_to_a_tls_port_is_said(nursery: trio.Nursery, ca: trustme.CA) -> None:
    port = await peer(nursery, tls_peer(server_context(ca)))
    async with bind_to(port, None) as it:
        assert await reason(it) == (
            f"127.0.0.1:{port} closed the link and did not answer the bind: "
            "is our address allowed there, does the port want TLS?"
        )


async def test_a_tls_alert_on_a_plain_link_is_said(nursery: trio.Nursery) -> None:
    def alert(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(bytes.fromhex("15030100020246"))
        connection.recv(10_000)

    async with bind_to(await peer(nursery, alert), None) as it:
        assert await reason(it) == "this is not SMPP but a TLS alert: one side speaks TLS and the other does not"


async def test_plain_smpp_to_a_web_server_is_said(nursery: trio.Nursery) -> None:
    def web(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        connection.recv(10_000)

    async with bind_to(await peer(nursery, web), None) as it:
        assert "HTTP" in await reason(it)


async def test_a_reset_in_the_handshake_is_a_matter_of_the_network(nursery: trio.Nursery, pinned: str) -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    port = await peer(nursery, reset)
    async with bind_to(port, TlsConfig(ca_file=pinned), reconnect_min_s=5.0) as it:
        assert await reason(it) == f"cannot connect to 127.0.0.1:{port}: Connection reset by peer"
        assert not slow(it)


async def test_a_handshake_closed_in_the_middle_of_a_record_is_no_matter_of_the_network(
    nursery: trio.Nursery, pinned: str
) -> None:
    def cut(connection: socket.socket) -> None:
        connection.recv(10_000)
        connection.sendall(bytes.fromhex("1603030400020000"))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(10_000)

    port = await peer(nursery, cut)
    async with bind_to(port, TlsConfig(ca_file=pinned), reconnect_min_s=5.0) as it:
        assert "closed the link in the TLS handshake" in await reason(it)
        assert slow(it)


async def test_a_handshake_that_hangs_is_given_up_with_the_connect_timeout(nursery: trio.Nursery, pinned: str) -> None:
    def hang(connection: socket.socket) -> None:
        while connection.recv(10_000):
            pass

    port = await peer(nursery, hang)
    async with bind_to(port, TlsConfig(ca_file=pinned), reconnect_min_s=5.0, connect_timeout_s=0.2) as it:
        assert await reason(it) == (
            f"127.0.0.1:{port} did not answer the TLS handshake in 0.2 s: does the port speak TLS?"
        )


# --- how TLS links end ------------------------------------------------------------------------------------------------


async def test_a_carrier_that_closes_without_close_notify_ends_a_link_and_no_more(
    nursery: trio.Nursery, ca: trustme.CA, pinned: str
) -> None:
    smsc, port = await tls_smsc(nursery, server_context(ca))
    async with bind_to(port, TlsConfig(ca_file=pinned, server_name=NAME)) as it:
        await it.submit(parts(3))
        await it.until(lambda: len(it.desk.of(Answer)) == 3)
        assert smsc.drop_links() == 1
        await it.until(lambda: it.carrier.statistics().binds[0].attempts == 2 and it.states == ["bound"])
        await it.submit(parts(3))
        await it.until(lambda: len(it.desk.of(Answer)) == 6)


async def test_a_carrier_that_closes_with_close_notify_is_a_closed_link(
    nursery: trio.Nursery, ca: trustme.CA, pinned: str
) -> None:
    context = server_context(ca)

    def close(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as link:
            link.recv(10_000)
            link.unwrap()

    port = await peer(nursery, close)
    async with bind_to(port, TlsConfig(ca_file=pinned, server_name=NAME), reconnect_min_s=5.0) as it:
        assert "closed the link" in await reason(it)


async def test_a_reset_under_tls_is_a_broken_link(nursery: trio.Nursery, ca: trustme.CA, pinned: str) -> None:
    context = server_context(ca)

    def reset(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as link:
            link.recv(10_000)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    port = await peer(nursery, reset)
    async with bind_to(port, TlsConfig(ca_file=pinned, server_name=NAME), reconnect_min_s=5.0) as it:
        assert await reason(it) == "the link broke: Connection reset by peer"
