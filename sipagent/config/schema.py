"""``sip.yaml`` as objects. A key that has no field here is an error; a field here works.

To add a section: write a frozen dataclass with defaults and docstrings, give it ``check()`` where a value
can be out of range, and name it as the type of a field. The loader, ``check --show`` and the test of
``docs/configuration.md`` follow the types.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from sipagent.config.campaigns import CampaignsConfig
from sipagent.config.console import ConsoleConfig
from sipagent.config.egress import EgressConfig
from sipagent.config.fields import DERIVED, HostPort, PortRange, Problem, Secret, not_a_name, out_of_range
from sipagent.config.guard import GuardConfig
from sipagent.config.keys import KeyConfig, KeypadConfig
from sipagent.config.ledger import AnchorConfig, LedgerConfig
from sipagent.config.network import ListenConfig, RtpConfig, TlsConfig
from sipagent.config.openai import OpenAiConfig
from sipagent.config.outbound import OutboundLimits, RateConfig
from sipagent.config.persona import NoInputConfig, NumberConfig, PersonaConfig
from sipagent.config.persona_engines import LostConfig, PersonaLlmConfig
from sipagent.config.recording import RecordingConfig
from sipagent.config.security import BanConfig, CallerConfig, SecurityConfig
from sipagent.config.source import SourceMap
from sipagent.config.speech import BargeInConfig, CommitConfig, SpeechConfig, SttConfig, TtsConfig, TurnConfig
from sipagent.config.supervision import SupervisionConfig, share, shifted
from sipagent.config.tools import HttpConfig, MessagesConfig, ToolConfig
from sipagent.config.trunk import AuthConfig, RegisterConfig, TrunkConfig

__all__ = [
    "AnchorConfig",
    "AuthConfig",
    "BanConfig",
    "BargeInConfig",
    "CallerConfig",
    "CampaignsConfig",
    "CommitConfig",
    "Config",
    "ConsoleConfig",
    "EgressConfig",
    "GuardConfig",
    "HostPort",
    "HttpConfig",
    "KeyConfig",
    "KeypadConfig",
    "LedgerConfig",
    "LimitsConfig",
    "ListenConfig",
    "LlmConfig",
    "LogConfig",
    "LostConfig",
    "MessagesConfig",
    "NoInputConfig",
    "NumberConfig",
    "OpenAiConfig",
    "OutboundLimits",
    "PersonaConfig",
    "PersonaLlmConfig",
    "PortRange",
    "RateConfig",
    "RecordingConfig",
    "RegisterConfig",
    "RtpConfig",
    "Secret",
    "SecurityConfig",
    "SourceMap",
    "SpeechConfig",
    "SttConfig",
    "SupervisionConfig",
    "TlsConfig",
    "ToolConfig",
    "TrunkConfig",
    "TtsConfig",
    "TurnConfig",
    "for_worker",
    "persona_for",
    "trunk_for",
]


SIP_EVERYWHERE = HostPort("0.0.0.0", 5060)
MOST_WORKERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmConfig:
    """Section ``llm``: the language model."""

    engine: Literal["llama.cpp", "openai"] = "llama.cpp"
    """Where replies are made: in this process, or by an OpenAI-compatible endpoint (section ``openai``)."""
    model: str = "auto"
    """Local model, of kind llm in the catalogue; ``auto``: the best installed one."""
    openai: OpenAiConfig | None = None
    """The endpoint; needed for ``engine: openai``, and there only."""
    context_tokens: int = 2048
    """Prompt and conversation of one call. 512..32768 tokens."""
    max_reply_tokens: int = 80
    """Longest reply. 8..512 tokens."""
    temperature: float = 0.3
    """0: always the likeliest word. 0..2."""
    threads: Literal["auto"] | int = "auto"
    """CPU threads; ``auto``: the cores that this process may use. 1..64."""
    deadline_ms: int = 8000
    """Time for one reply; past it the reply ends where it stands. 1000..60000 ms."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(
            self,
            context_tokens=(512, 32768),
            max_reply_tokens=(8, 512),
            temperature=(0, 2),
            threads=(1, 64),
            deadline_ms=(1000, 60000),
        )
        if (self.engine == "openai") != (self.openai is not None):
            hint = "is needed by engine: openai" if self.openai is None else "goes with engine: openai only"
            yield "openai", hint
        elif self.openai is not None and self.openai.first_token_ms > self.deadline_ms // 2:
            yield "deadline_ms", "expected twice openai.first_token_ms, so that the local model can step in"
        if self.max_reply_tokens * 4 > self.context_tokens:
            yield "max_reply_tokens", f"expected at most a quarter of context_tokens ({self.context_tokens})"


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsConfig:
    """Section ``limits``: how much is taken on; what goes beyond is answered 503 at once."""

    max_calls: Literal["auto"] | int = "auto"
    """Calls at a time; ``auto``: what the cores can serve. 1..4."""
    retry_after_s: int = 10
    """Told to the peer whose call is refused. 1..600 s."""
    calls_per_second: int = 5
    """New calls in any second. 1..20."""
    outbound: OutboundLimits = field(default_factory=OutboundLimits)
    """Which calls may be placed."""
    hold_s: int = 900
    """Longest time on hold; then the agent hangs up. 1..14400 s."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from out_of_range(
            self, max_calls=(1, 4), retry_after_s=(1, 600), calls_per_second=(1, 20), hold_s=(1, 14400)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """Section ``logging``: the log on standard error."""

    format: Literal["auto", "json", "console"] = "auto"
    """``auto``: readable on a terminal, JSON elsewhere."""
    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important events that are shown."""
    pii: bool = False
    """True: also what callers say and dial, for finding faults only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The whole of ``sip.yaml``."""

    instance: str = "sipagent"
    """Name of this installation in logs and metrics."""
    listen: ListenConfig = field(default_factory=lambda: ListenConfig(udp=SIP_EVERYWHERE, tcp=SIP_EVERYWHERE))
    """The SIP sockets; without the section both, on port 5060 of every interface."""
    rtp: RtpConfig = field(default_factory=RtpConfig)
    """The sockets of the sound."""
    trunks: tuple[TrunkConfig, ...] = ()
    """Peers that bring calls and take calls. 1..7 of them."""
    numbers: tuple[NumberConfig, ...] = ()
    """Which persona answers which number; the first match wins. At least one."""
    personas: dict[str, PersonaConfig] = field(default_factory=dict)
    """The agents, by name. At least one."""
    speech: SpeechConfig = field(default_factory=SpeechConfig)
    """Ear, voice, turns and interruptions."""
    llm: LlmConfig = field(default_factory=LlmConfig)
    """The language model."""
    recording: RecordingConfig = field(default_factory=RecordingConfig)
    """Whether calls are recorded, and how."""
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    """How much is taken on."""
    security: SecurityConfig = field(default_factory=SecurityConfig)
    """Who is kept out."""
    ledger: LedgerConfig = field(default_factory=LedgerConfig)
    """The audit ledger."""
    campaigns: CampaignsConfig = field(default_factory=CampaignsConfig)
    """Scheduled outgoing calls."""
    logging: LogConfig = field(default_factory=LogConfig)
    """The log on standard error."""
    workers: int = 1
    """Processes that take calls, each on ports of its own. 1..16."""
    supervision: SupervisionConfig = field(default_factory=SupervisionConfig)
    """When a worker is begun again, and how the server is told what."""
    console: ConsoleConfig | None = field(default_factory=ConsoleConfig)
    """Health and metrics over HTTP; ``false``: none."""
    egress: EgressConfig = field(default_factory=EgressConfig)
    """The lock on what leaves this machine."""
    tools: dict[str, ToolConfig] = field(default_factory=dict)
    """What the program can do for callers, by name, besides the tools that it brings."""
    tools_dir: Path = Path(".")
    """Folder that the tools' commands run in and that their Python modules are found from, relative to
    sip.yaml; without the key its own folder."""
    messages: MessagesConfig = field(default_factory=MessagesConfig)
    """What callers leave for others."""
    models_dir: Path = Path("models")
    """Folder of the models and their catalogue, relative to sip.yaml. Without the key: ``models`` beside
    sip.yaml where it has a catalogue, else the program's own."""
    source: SourceMap = field(
        default_factory=SourceMap, repr=False, compare=False, metadata={DERIVED: "source"}
    )
    """Where each key stands in the file."""

    def check(self) -> Iterator[Problem]:
        """Yield (field, problem)."""
        yield from not_a_name(self, "instance")
        yield from out_of_range(self, workers=(1, MOST_WORKERS))
        for name, wanted in (
            ("trunks", "the peer that brings calls"),
            ("numbers", "which persona answers, as in {match: '*', persona: receptionist}"),
            ("personas", "the agent that answers"),
        ):
            if not getattr(self, name):
                yield name, f"at least one entry is required: {wanted}"


def persona_for(config: Config, dialled: str) -> PersonaConfig | None:
    """The persona of the first entry of ``numbers`` that matches; None: nobody answers this number.

    :param dialled: user part of the request's address, compared character by character.
    """
    for number in config.numbers:
        if number.matches(dialled):
            return config.personas[number.persona]
    return None


def trunk_for(config: Config, address: str, dialled: str = "") -> TrunkConfig | None:
    """The trunk that may send SIP from ``address`` (dotted IPv4); None: a stranger, refuse.

    :param dialled: of several such trunks the one that registers under this name goes first.
    """
    allowed = [trunk for trunk in config.trunks if trunk.is_allowed(address)]
    named = (trunk for trunk in allowed if trunk.register and trunk.register.username == dialled)
    return next(named, allowed[0] if allowed else None)


def _tls_shifted(tls: TlsConfig | None, index: int) -> TlsConfig | None:
    bind = shifted(tls.bind, index) if tls else None
    return replace(tls, bind=bind) if tls and bind else None


def for_worker(config: Config, index: int) -> Config:
    """The configuration with the ports of worker ``index`` alone; 0 is the first."""
    listen, rtp = config.listen, config.rtp
    return replace(
        config,
        listen=replace(
            listen,
            udp=shifted(listen.udp, index),
            tcp=shifted(listen.tcp, index),
            tls=_tls_shifted(listen.tls, index),
        ),
        rtp=replace(rtp, port_range=share(rtp.port_range, index, config.workers)),
    )
