"""A carrier made of smpp.twisted3, Jasmin's library: takes binds and answers; prints its port.

It runs in an environment of its own that has that library, for `perf.simulator --twisted PYTHON`.
"""

import logging
import sys

from smpp.pdu.pdu_types import CommandStatus
from smpp.twisted.config import SMPPServerConfig
from smpp.twisted.protocol import DataHandlerResponse
from smpp.twisted.server import IAuthenticatedSMPP, SMPPServerFactory
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import Portal
from twisted.internet import defer, reactor

ids = iter(range(1, sys.maxsize))


class _Anybody(AllowAnonymousAccess):
    credentialInterfaces = (IUsernamePassword,)  # noqa: N815  (a name of the library's)

    def requestAvatarId(self, credentials):  # noqa: N802  (a name of the library's)
        return defer.succeed(credentials.username)


class _Realm:
    def requestAvatar(self, avatar, _mind, *_interfaces):  # noqa: N802  (a name of the library's)
        return IAuthenticatedSMPP, avatar, lambda: None


def _answer(_system_id, _smpp, _pdu):
    return DataHandlerResponse(status=CommandStatus.ESME_ROK, message_id=f"{next(ids):08x}")


def main() -> None:
    logging.disable(logging.CRITICAL)
    config = SMPPServerConfig(msgHandler=_answer, systems={"acme": {"max_bindings": 1_000}})
    listening = reactor.listenTCP(0, SMPPServerFactory(config, Portal(_Realm(), [_Anybody()])), interface="127.0.0.1")
    print(listening.getHost().port, flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
