"""Opening a link, and what its errors say."""

import ssl

import pytest
import trio
from trio.testing import MockClock, memory_stream_pair

from connector.carrier.backoff import Ended
from connector.carrier.link import broken, close, connect_tcp, open_link, plain
from connector.config import Endpoint

PLACE = Endpoint("smsc", 2775)


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "[Errno 111] connect to ('127.0.0.1', 1) failed"), "Connection refused"),
        (OSError("all attempts to connect failed"), "all attempts to connect failed"),
        (
            caused(OSError("all attempts failed"), ExceptionGroup("", [OSError(113, "x"), OSError(111, "y")])),
            "No route to host",
        ),
        (caused(trio.BrokenResourceError(), ConnectionResetError(104, "x")), "Connection reset by peer"),
        (
            caused(trio.BrokenResourceError(), caused(trio.BrokenResourceError(), BrokenPipeError(32, "x"))),
            "Broken pipe",
        ),
        (caused(trio.BrokenResourceError(), ssl.SSLEOFError(8, "EOF occurred")), "closed in the middle of TLS"),
        (
            caused(trio.BrokenResourceError(), ssl.SSLError(1, "[SSL: BAD_THING] bad thing")),
            "[SSL: BAD_THING] bad thing",
        ),
        (trio.ClosedResourceError(), "ClosedResourceError"),
        (OSError(-2, "Name or service not known"), "Name or service not known"),
        (OSError("gone."), "gone"),
    ],
    ids=repr,
)
def test_an_error_is_told_in_its_innermost_words(error: BaseException, words: str) -> None:
    assert plain(error) == words


def test_a_broken_link_is_a_matter_of_the_network_unless_tls_says_otherwise() -> None:
    assert broken(trio.BrokenResourceError("gone")) == (Ended.NETWORK, "the link broke: gone")
    error = ssl.SSLError(1, "alert")
    error.reason = "TLSV1_ALERT_UNKNOWN_CA"
    assert broken(caused(trio.BrokenResourceError(), error))[0] is Ended.HANDSHAKE


async def test_a_connect_that_takes_too_long_is_given_up(autojump_clock: MockClock) -> None:
    async def never(_host: str, _port: int) -> trio.abc.Stream:
        await trio.sleep_forever()
        raise AssertionError

    opened = await open_link(never, PLACE, None, None, 10.0)
    assert opened == (Ended.NETWORK, "no connection to smsc:2775 in 10 s")
    assert trio.current_time() == pytest.approx(10)


async def test_a_peer_that_says_nothing_to_the_handshake_is_closed(autojump_clock: MockClock) -> None:
    ours, theirs = memory_stream_pair()

    async def connect(_host: str, _port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return ours

    opened = await open_link(connect, PLACE, ssl.create_default_context(), None, 10.0)
    assert opened == (
        Ended.NETWORK,
        "smsc:2775 did not answer the TLS handshake in 10 s: does the port speak TLS?",
    )
    while await theirs.receive_some():
        pass  # our hello, and then the end: nothing of the link is left open


@pytest.mark.parametrize("name", ["", ".", "..", "a." * 100, "x" * 64, "ü" * 64 + ".example"])
async def test_what_is_no_host_name_is_an_error_of_the_network(name: str) -> None:
    with trio.fail_after(5):
        opened = await open_link(connect_tcp, Endpoint(name, 1), None, None, 3.0)
    assert isinstance(opened, tuple)
    assert opened[0] is Ended.NETWORK


@pytest.mark.parametrize("name", [".", ".leading.dot"])
async def test_what_no_certificate_can_be_for_is_an_ending(name: str) -> None:
    ours, _theirs = memory_stream_pair()

    async def connect(_host: str, _port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        return ours

    opened = await open_link(connect, PLACE, ssl.create_default_context(), name, 1.0)
    assert opened == (Ended.NETWORK, f"cannot connect to smsc:2775: {name!r} is no name a certificate can be for")


class Stuck(trio.abc.AsyncResource):
    """Closes only by force."""

    forced = False

    async def aclose(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.forced = True


async def test_a_link_that_takes_no_last_word_is_closed_all_the_same(autojump_clock: MockClock) -> None:
    stuck = Stuck()
    await close(stuck)  # type: ignore[arg-type]
    assert stuck.forced
    assert trio.current_time() == pytest.approx(1)
