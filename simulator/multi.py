"""submit_multi: one message to many, each of which is a message of its own to the carrier."""

from collections.abc import Sequence
from typing import Final, cast

from connector.smpp import tables
from connector.smpp.pdu import (
    DestAddress,
    DistributionList,
    Pdu,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    UnsuccessSme,
)
from connector.smpp.tlv import Tlv
from simulator.intake import Intake
from simulator.link.answers import Changed
from simulator.rules import Play
from simulator.scenario import STATUS_BY_NAME
from simulator.submits import Submitter

COPIED: Final = (
    "service_type",
    "source_addr_ton",
    "source_addr_npi",
    "source_addr",
    "esm_class",
    "protocol_id",
    "priority_flag",
    "schedule_delivery_time",
    "validity_period",
    "registered_delivery",
    "replace_if_present_flag",
    "data_coding",
    "sm_default_msg_id",
    "short_message",
    "tlvs",
)
"""What each message has from the request for all."""


def singles(pdu: SubmitMulti) -> list[SubmitSm]:
    """Return the submit_sm that this stands for, one for each address, numbered from 1."""
    common = {name: getattr(pdu, name) for name in COPIED}
    addresses = [each for each in pdu.dest_addresses if isinstance(each, DestAddress)]
    return [
        SubmitSm(
            **common,
            dest_addr_ton=each.dest_addr_ton,
            dest_addr_npi=each.dest_addr_npi,
            destination_addr=each.destination_addr,
            sequence_number=number,
        )
        for number, each in enumerate(addresses, 1)
    ]


def unknown_lists(pdu: SubmitMulti) -> list[UnsuccessSme]:
    """Return the failures of distribution lists: this carrier keeps none."""
    status = STATUS_BY_NAME["ESME_RINVDLNAME"]
    return [
        UnsuccessSme(destination_addr=each.dl_name, error_status_code=status)
        for each in pdu.dest_addresses
        if isinstance(each, DistributionList)
    ]


class Spread:
    """The link as the intake sees it for the messages of one submit_multi: their answers become one.

    They share one message_id, and receipts differ by their address (SMPP 3.4, 4.5).
    """

    def __init__(self, peer: Submitter, pdu: SubmitMulti, play: Play | None = None) -> None:
        self._peer = peer
        self._play = play
        self._pdu = pdu
        self._singles = singles(pdu)
        self._failures = unknown_lists(pdu)
        self._silent: Changed | None = None
        self._at: float | None = None
        self._id = ""
        self._heard = 0
        self._tlvs: tuple[Tlv, ...] = ()
        self.shared_number: int | None = None
        self.account, self.bucket, self.own = peer.account, peer.bucket, peer.own
        self.held = peer.held
        self.number, self.who, self.place, self.version = peer.number, peer.who, peer.place, peer.version
        self.unanswered = peer.unanswered

    def take(self, intake: Intake, now: float) -> None:
        """Have each message judged, and answer them all."""
        intake.take(self, self._singles, now, self._pdu.sequence_number)
        self._peer.bucket = self.bucket
        answer = self._answer()
        if self._heard < len(self._singles):  # one of them is never answered
            self._peer.unanswered += 1
        elif self._at is None:
            self._peer.answer([answer])
        else:
            self._peer.unanswered += 1
            self._peer.answer_at(self._at, answer)

    def spell(self, number: int, /) -> str:
        """Return the id of them all: that of the first one."""
        if self.shared_number is None:
            self.shared_number, self._id = number, self._peer.spell(number)
        return self._id

    @property
    def origin(self) -> object:
        """The link itself."""
        return self._peer.origin

    def _answer(self) -> Pdu | Changed:
        """Return the one answer, as a rule for the whole changes it."""
        if self._silent is not None:
            return self._silent
        response, play = self._response(), self._play
        if play is None:
            return response
        if play.reply is not None and play.reply.message_id is not None:
            response.message_id = play.reply.message_id
        silent = play.fault is not None and play.fault.is_silent
        return Changed(None if silent else response, play.reply, play.fault, play.name)

    def answer(self, responses: Sequence[Pdu | Changed]) -> None:
        """Gather answers."""
        self._heard += len(responses)
        for response in responses:
            pdu = response.response if isinstance(response, Changed) else response
            if pdu is None:
                self._silent = cast(Changed, response)
                continue
            self._tlvs = pdu.tlvs
            if pdu.command_status:
                self._failures.append(_failure(self._singles[pdu.sequence_number - 1], pdu.command_status))

    def answer_at(self, at: float, response: Pdu | Changed) -> None:
        """Gather one that is due then: all go when the last is due."""
        self._at = at if self._at is None else max(self._at, at)
        self.answer([response])

    def offended(self, number: int, now: float) -> None:
        """Take note of messages refused for the limits' sake."""
        self._peer.offended(number, now)

    def _response(self) -> SubmitMultiResp:
        """Return the answer; where no address was taken it has the status of the first failure."""
        sequence_number = self._pdu.sequence_number
        if not self._id:
            status = self._failures[0].error_status_code if self._failures else tables.ESME_RSYSERR
            return SubmitMultiResp(command_status=status, sequence_number=sequence_number, tlvs=self._tlvs)
        return SubmitMultiResp(
            message_id=self._id,
            unsuccess_smes=tuple(self._failures),
            tlvs=self._tlvs,
            sequence_number=sequence_number,
        )


def _failure(pdu: SubmitSm, command_status: int) -> UnsuccessSme:
    return UnsuccessSme(
        dest_addr_ton=pdu.dest_addr_ton,
        dest_addr_npi=pdu.dest_addr_npi,
        destination_addr=pdu.destination_addr,
        error_status_code=command_status,
    )
