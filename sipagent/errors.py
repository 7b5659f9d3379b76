"""Every error that sipagent raises on purpose."""


class SipAgentError(Exception):
    """Base of every error raised on purpose. ``retryable``: the same input may work later."""

    retryable = False
    sip_status = 500
    """What to answer if it escapes before the call is up."""


class ConfigError(SipAgentError):
    """``sip.yaml`` or the environment is not usable. Carries every problem found, one a line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ModelError(SipAgentError):
    """A model file is missing, truncated, has the wrong digest or cannot be loaded."""


class EngineError(SipAgentError):
    """An engine failed on one job. It costs that turn."""

    retryable = True


class ToolError(SipAgentError):
    """A tool has failed; the line says how, without anything personal."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """:param detail: the tool's own words, which may quote a caller."""
        super().__init__(reason)
        self.detail = detail


class JobCancelled(SipAgentError):
    """The job lost its purpose (the caller went on, interrupted or hung up)."""

    retryable = True


class AudioFormatError(SipAgentError):
    """A WAV file or PCM buffer that cannot be used."""


class PacketError(SipAgentError):
    """A malformed packet from a peer. Counted, never fatal."""


class SipError(SipAgentError):
    """The SIP library refused a command; ``str()`` says which and why."""


class CapacityError(SipAgentError):
    """No room for another call."""

    retryable = True
    sip_status = 503


class LedgerError(SipAgentError):
    """The audit ledger cannot do what was asked; the line says what, where and what to do."""

    sip_status = 503


class LedgerBusy(LedgerError):
    """Another process writes this chain."""


class LedgerDamaged(LedgerError):
    """What is on the disk is not what was written and signed: nothing is appended behind it."""


class LedgerUnavailable(LedgerError):
    """The disk takes nothing at the moment. The entry is kept in memory and written when it does."""

    retryable = True


class CampaignError(SipAgentError):
    """A campaign cannot do what was asked; the line says what, where and what to do."""


class CampaignStateError(CampaignError):
    """The campaigns' state file cannot be read or written at the moment; nothing has changed."""

    retryable = True
