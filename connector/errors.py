"""The error tree.  Errors are named by what the one who catches them must do next; this module imports nothing.

An answer that was expected (a refusal by a carrier, a duplicate, a bad row) is a value and never one of these.
"""


class CarrierlineError(Exception):
    """Everything this project raises on purpose derives from here."""


# --- settings -------------------------------------------------------------------------------------------------


class ConfigError(CarrierlineError):
    """A settings file cannot be used.  ``problems`` holds every problem found, one line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


# --- the protocol ---------------------------------------------------------------------------------------------


class SmppError(CarrierlineError):
    """Something is wrong with SMPP bytes or with the use of a session."""


class FramingError(SmppError):
    """The byte stream cannot be cut into PDUs any more: say why, close the link, bind again.

    ``answer`` holds the octets the specification wants sent before closing (a generic_nack), or none.
    """

    def __init__(self, reason: str, answer: bytes = b"") -> None:
        super().__init__(reason)
        self.reason = reason
        self.answer = answer


class EncodeError(SmppError, ValueError):
    """A value does not fit its field: nothing was sent, correct the value.  Values are never cut."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class IllegalCommand(SmppError):
    """This side may not send this command in the session's present state: a mistake of the caller."""


# --- the store ------------------------------------------------------------------------------------------------


class StoreError(CarrierlineError):
    """The store could not do what was asked; nothing of it was done."""


class StoreBroken(StoreError):
    """The store met an input/output error and can promise nothing more: stop the process, start it again."""


class StoreFull(StoreError):
    """The disk has no room for new messages: refuse intake (507), go on settling what is under way."""


class StoreInUse(StoreError):
    """Another connector owns this store: stop the other one first."""


class StoreTooNew(StoreError):
    """The store was written by a newer version: run that version, this one would not understand it."""


# --- the doors ------------------------------------------------------------------------------------------------


class IntakeRefused(CarrierlineError):
    """No row of this request was taken: try again after ``retry_after_s`` seconds.

    ``reason`` is one of the reason codes of ``model.Reason`` (draining, queue full, low disk, same key still running).
    """

    def __init__(self, reason: str, message: str, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s


class KeyReused(CarrierlineError):
    """An Idempotency-Key came back with another request: nothing was taken, use a new key."""


class ApiError(CarrierlineError):
    """The connector's HTTP door answered with an error; ``status`` and ``problem`` are what it said."""

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status = status
        self.problem = problem


class InputError(CarrierlineError):
    """A file handed to us cannot be used as what it is meant to be; the message says what to change."""
