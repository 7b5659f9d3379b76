"""The turn machine run by script, and the rules that its tests have in common."""

from sipagent.call import turn as tm
from sipagent.call import turn_events as ev
from sipagent.call.dictation import Asked
from sipagent.call.endpointing import CommitDelays
from sipagent.call.turn_rules import TurnRules

DELAYS = CommitDelays(300, 700, 1600)
STORY_MS = 1280
MIDDLE_MS = 880
RULES = TurnRules(
    pause_ms=180,
    delays=DELAYS,
    min_voice_ms=160,
    verdict_ms=700,
    backchannels=frozenset({"mm-hm", "okay", "yeah"}),
    no_input_after_ms=8000,
    no_input_prompts=2,
)


class Script:
    """Runs events and collects actions, with shorthands for what happens often."""

    def __init__(self, rules: TurnRules = RULES) -> None:
        self.rules = rules
        self.turn = tm.Turn()
        self.actions: list[ev.Action] = []

    def __call__(self, *events: ev.Event) -> list[ev.Action]:
        done: list[ev.Action] = []
        for event in events:
            self.turn, actions = tm.step(self.turn, event, self.rules)
            done += actions
        self.actions += done
        return done

    def greeted(self) -> "Script":
        self(ev.CallStarted(0), ev.SpeechBegan(20), ev.SpeechEnded(1000, Asked.ANYTHING))
        return self

    def spoke(self, start_ms: int, end_ms: int) -> list[ev.Action]:
        """The caller speaks and pauses long enough for an attempt."""
        return self(ev.VoiceStarted(start_ms), ev.VoiceStopped(end_ms), ev.Tick(end_ms + 180))

    def heard(self, text: str, now_ms: int, score: float | None = 0.9) -> list[ev.Action]:
        """The attempt's engines answer."""
        done = self(ev.TextHeard(self.turn.attempt, text, now_ms), ev.ReplyBegan(self.turn.attempt))
        if score is not None:
            done += self(ev.EndScored(self.turn.attempt, score))
        return done

    def agent_speaks(self) -> "Script":
        """Greeted, one turn answered, the agent's reply is playing since 4000."""
        self.greeted().spoke(2000, 3000)
        self.heard("what are your hours", 3300)
        self(ev.Tick(3410), ev.SpeechBegan(4000))
        assert self.turn.agent is tm.Agent.SPEAKING
        return self
