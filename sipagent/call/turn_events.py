"""What the turn machine hears and what it wants done: its events and actions. The times are in the events."""

from dataclasses import dataclass
from enum import Enum

from sipagent.call.dictation import ANY_FORM, AnswerForm, Asked


class Phrase(Enum):
    """Sentences the program says by itself."""

    GREETING = "greeting"
    NO_INPUT = "no_input"
    APOLOGY = "apology"
    GOODBYE = "goodbye"


# --- events ---


@dataclass(frozen=True, slots=True)
class CallStarted:
    now_ms: int
    greeting_interruptible: bool = True


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    now_ms: int


@dataclass(frozen=True, slots=True)
class VoiceStopped:
    """``last_voice_ms``: when the last voiced sample was heard."""

    last_voice_ms: int


@dataclass(frozen=True, slots=True)
class Tick:
    now_ms: int
    is_dry: bool = False
    """The agent's utterance goes on, and its sound has run out."""


@dataclass(frozen=True, slots=True)
class TextHeard:
    """The text of the turn so far, from an attempt or from a judgement."""

    attempt: int
    text: str
    now_ms: int
    confidence: float = 1.0
    """0..1, the engine's own."""
    is_asked: bool = False
    """The agent is about to end a yes/no question: "yeah" over its last words is the answer."""


@dataclass(frozen=True, slots=True)
class EndScored:
    attempt: int
    score: float


@dataclass(frozen=True, slots=True)
class WordsScored:
    """The language model's view: how likely the caller's message is over where it stands, 0..1."""

    attempt: int
    score: float


@dataclass(frozen=True, slots=True)
class ReplyBegan:
    """The model has read the turn and begun to answer, or the answer is a phrase."""

    attempt: int


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """An engine failed or came too late."""

    attempt: int
    now_ms: int


@dataclass(frozen=True, slots=True)
class ReplyEndsCall:
    """The reply of this attempt takes leave."""

    attempt: int


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The first sample of the agent's utterance has gone out."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class QuestionBegan:
    """The last sentence of the agent's utterance is being heard: an answer over it is one to its question."""

    asked: Asked
    form: AnswerForm = ANY_FORM
    """What is known of the answer besides."""


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The last sample has, and nothing is to follow."""

    now_ms: int
    asked: Asked = Asked.NOTHING
    """What the utterance asked the caller for."""
    form: AnswerForm = ANY_FORM
    """What is known of the answer besides."""


@dataclass(frozen=True, slots=True)
class EndWanted:
    """Say goodbye and hang up: time is up, or the program stops."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """The conversation begins anew, or falls silent: nothing of what went on counts any more."""


@dataclass(frozen=True, slots=True)
class AsideWanted:
    """The agent has something to say out of turn, as after a key; what went on is dropped."""

    now_ms: int
    is_interruptible: bool = True


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller has pressed a key that silences the agent."""

    now_ms: int


@dataclass(frozen=True, slots=True)
class TextKeyed:
    """The caller has keyed in a number; ``text`` stands for it as the caller's words."""

    now_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class Rested:
    """The conversation has rested for so long, as on hold, and goes on."""

    rested_ms: int


BesideEvent = Restarted | AsideWanted | KeyPressed | Rested
"""Neither a voice nor words."""

Event = (
    CallStarted
    | VoiceStarted
    | VoiceStopped
    | Tick
    | TextHeard
    | EndScored
    | WordsScored
    | ReplyBegan
    | AttemptFailed
    | ReplyEndsCall
    | SpeechBegan
    | QuestionBegan
    | SpeechEnded
    | EndWanted
    | TextKeyed
    | BesideEvent
)

# --- actions ---


@dataclass(frozen=True, slots=True)
class Say:
    """Say a phrase of the program's own. ``index`` counts the no-input prompts."""

    phrase: Phrase
    index: int = 0


@dataclass(frozen=True, slots=True)
class BeginAttempt:
    """Finish the text."""

    attempt: int
    last_voice_ms: int
    is_keyed: bool = False
    """The text is there: it was keyed in, at ``last_voice_ms``."""


@dataclass(frozen=True, slots=True)
class PrepareReply:
    attempt: int
    text: str


@dataclass(frozen=True, slots=True)
class ScoreEnd:
    """The words leave it open: how finished does it sound?"""

    attempt: int


@dataclass(frozen=True, slots=True)
class DropAttempt:
    """Cancel its jobs; the turn's sound and text stay."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Commit:
    """The attempt's reply is the agent's next utterance: play it, now or as it comes."""

    attempt: int
    text: str


@dataclass(frozen=True, slots=True)
class SayFiller:
    """ "One moment", ahead of the reply that is still being prepared."""


@dataclass(frozen=True, slots=True)
class ForgetTurn:
    """What was heard is not for us (noise, a backchannel): empty the ear."""


@dataclass(frozen=True, slots=True)
class ForgetSound:
    """What was heard is dealt with: empty the ear but for the last ``keep_ms``. Nothing is cancelled."""

    keep_ms: int = 0


@dataclass(frozen=True, slots=True)
class HoldSpeech:
    pass


@dataclass(frozen=True, slots=True)
class ResumeSpeech:
    pass


@dataclass(frozen=True, slots=True)
class DropSpeech:
    """The rest of the utterance will never be said."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Get the text of what is being said over the agent."""

    attempt: int


@dataclass(frozen=True, slots=True)
class HandOver:
    """Too many turns have failed: somebody else shall take the call."""


@dataclass(frozen=True, slots=True)
class HangUp:
    pass


Action = (
    Say
    | HandOver
    | BeginAttempt
    | PrepareReply
    | ScoreEnd
    | DropAttempt
    | Commit
    | SayFiller
    | ForgetTurn
    | ForgetSound
    | HoldSpeech
    | ResumeSpeech
    | DropSpeech
    | Judge
    | HangUp
)
