"""What the words of a greeting tell about who said it. English; pure."""

import re
from enum import Enum


class Hint(Enum):
    """What a text sounds like."""

    VOICEMAIL = "voicemail"
    SCREENING = "screening"
    IVR = "ivr"
    PERSON = "person"
    PERSON_BUSINESS = "person at work"
    """A long sentence of somebody who answers for a company."""
    OPENING = "opening"
    """Begins like a recorded greeting, and also like a person: wait for more."""
    NONE = "none"


_MANY_WORDS = 9
"""People who say that they are not in say it in fewer."""


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"\b(?:{pattern})" for pattern in patterns))


_WHO = r"(?:me |us |him |her |them )?"
_CANNOT = r"(?:can't|cannot|can not|couldn't|could not)"
_VOICEMAIL = _any(
    rf"leave {_WHO}(?:a |your |the |ya |any )?(?:brief |short |detailed )?(?:message|massage|name)",
    r"leave (?:your|a|me|us|it) (?:name|number|message|details)",
    r"(?:after|at|before|wait for|hear) (?:the |that )?(?:tone|beep|signal|peep|be?ap)\b",
    r"(?:not|n't|unable) (?:able )?(?:to )?(?:come to|take your call|take the call|get to the phone|pick up)",
    r"(?:not|n't|unable) (?:able )?(?:to )?answer (?:the|your) (?:phone|call)",
    rf"{_CANNOT} (?:be reached|be rich|come to|take|get to|answer|pick)",
    r"voice ?mail",
    r"mail ?box",
    r"answering (?:machine|service)",
    r"(?:record|recording) your",
    r"(?:get|call|ring|phone) (?:back to )?(?:you|ya) (?:back|as soon)",
    r"as soon as (?:i|we|possible)",
    r"miss(?:ed)? your call",
    r"(?:has|have) been forwarded",
    r"automatic voice",
    r"the (?:person|subscriber|customer|party|number|caller|wireless|google) (?:you|that|at|is|customer)",
    r"(?:opening|office|business) hours",
    r"you(?:'ve| have| of|'re| are)? ?(?:just )?reached (?:the )?(?:voice|phone|mail|number|cell|home|desk)",
    r"you(?:'ve| have| of|'re| are)? ?(?:just )?reached (?:the )?(?:personal|[a-z]+'s)",
)
_ABSENCE = _any(
    r"(?:not|n't|unable) (?:able )?(?:to )?available",
    r"(?<!he )(?<!she )(?:isn't|aren't|is not|are not|am not|i'm not|we're not)"
    r" (?:here|home|in|available|at my desk|able)\b",
    r"(?:currently|temporarily) (?:unavailable|away|busy|not|out|in)",
    r"(?:reached|calling)\b.{0,60}\bclosed?\b|office is (?:now |currently )?closed?\b",
    r"closed?\b.{0,60}(?:hours|try again|open (?:again|at|from)|until)",
    r"out of (?:the|my|our) office",
    r"(?:i'm|i am|we're|we are) (?:out|away|current|currently)\b",
    r"no one (?:is|can)",
    r"nobody (?:is|can)",
    r"away from (?:my|the|our)",
)
"""What people say as well, in few words or with a question."""
_SCREENING = _any(
    r"(?:state|say|record|give|tell me) your name",
    r"call ?screen",
    r"screening (?:service|this)",
    r"why you(?:'re| are) calling",
    r"reason for (?:your )?call",
    r"(?:i'll|i will) see if .{0,30}available",
    r"before (?:i|we) (?:try to )?connect",
    r"the person you(?:'re| are) calling is using",
)
_IVR = _any(
    r"press (?:one|two|three|four|five|zero|nine|the|any|star|pound|hash|\d)",
    r"para\b",
    r"oprima",
    r"for .{1,20} press",
    r"(?:main|following|these) (?:menu|options)",
    r"menu (?:options )?(?:has|have)",
    r"your call (?:is (?:very )?important|will be (?:answered|taken))",
    r"calls? (?:may|will|might) be (?:recorded|monitored)",
    r"(?:dial|enter) (?:your|the|it)",
    r"if you know (?:your|the)",
    r"for (?:sales|billing|support|english|service)[, ]",
    r"in a few words",
    r"please (?:stay on|hold (?:for|while)|listen)",
    r"(?:party's|your|desired) extension|(?:dial|enter|know|have) .{0,12}extension",
)
_QUEUE = _any(
    r"next available",
    r"all (?:of |on )?our \w+ (?:\w+ )?(?:are|is) (?:now |all |currently )?"
    r"(?:busy|assisting|helping|engaged|on\b)",
    r"agents\b",
    r"representatives?\b",
    r"automated (?:attendant|assistant|system|service|phone|voice|line)|this is an automated",
)
"""As a menu's, and as of people at work."""
_RECORDING = _any(
    rf"leave {_WHO}(?:a |your |the )?(?:brief |short |detailed )?(?:message|name and)",
    r"(?:after|at|wait for|hear) (?:the |that )(?:tone|beep|signal)\b",
    r"record your (?:message|name)",
    r"voice ?mail(?:box)? of",
    r"(?:has|have) been forwarded",
    r"answering machine of",
    r"press (?:one|two|three|four|five|zero|nine|star|pound|hash|\d)\b",
    r"your call is (?:very )?important",
    r"(?:calls|this call) (?:may|will|might) be (?:recorded|monitored)",
)
"""What nobody says in a conversation: before it many more words speak for a machine."""
_GREETING = _any(
    r"you(?:'ve| have)? (?:just )?reached",
    r"(?:if you(?:'re| are)|all|any|no) (?:an? |calling )?(?:tele ?|sales?|to sell|trying to sell|solicit)",
    r"this is (?:the )?(?:voice ?mail|answering)",
)
_BUSINESS = _any(
    r"(?:how|what) (?:can|may|could|might) (?:i|we) (?:help|assist|direct|do)",
    r"speaking\b",
    r"can i help",
    r"may i help",
    r"help you",
    r"what can i do",
    r"who(?:'s| is) (?:this|that|calling|there)",
)
_ASKING = _any(
    r"who(?:'s| is| am| are)? (?:this|that|it\b|calling|there|i\b|speaking)",
    r"what(?:'s up| do you| did you| would you| can (?:i|we))",
    r"(?:can|could|may|would|will) you (?:call|hold|make|speak|hear|repeat|wait)",
    r"(?:can|could|may|shall) (?:i|we) (?:take|ask|have|call|tell|speak|help)",
    r"is (?:this|that) (?:another|about|you|the|a|an)\b",
    r"how (?:can|may) (?:i|we)",
)
"""A question to whoever calls: nobody records it."""
_PERSON = _any(
    r"hello+\b",
    r"(?:yes|yeah|yep|hey|howdy)\b",
    r"what'?s up",
    r"good (?:morning|afternoon|evening)",
    r"hang on",
    r"hold on",
    r"one (?:second|moment)",
    r"residence",
    r"go ahead",
    r"can you hear",
    r"what do you",
    r"is that you",
)
_OPENING = _any(
    r"(?:you've|you have|you) (?:just )?reached",
    r"(?:hi|hey|hello),? (?:this is|you've|you have|it's|i'm)",
    r"thank(?:s| you) for calling",
    r"welcome to",
    r"this is ",
    r"(?:it's|i'm|we're) ",
    r"(?:sorry|please|unfortunately|reached|closed)\b",
    r"at the moment",
    r"right now",
)


def hint_of(text: str) -> Hint:
    """What ``text``, the words so far, sounds like. What a machine alone says wins over all else."""
    words = _plain(text)
    absence = Hint.VOICEMAIL if len(words.split()) >= _MANY_WORDS else Hint.OPENING
    for pattern, hint in (
        (_SCREENING, Hint.SCREENING),
        (_IVR, Hint.IVR),
        (_VOICEMAIL, Hint.VOICEMAIL),
        (_ASKING, Hint.PERSON_BUSINESS),
        (_QUEUE, Hint.IVR),
        (_ABSENCE, absence),
        (_BUSINESS, Hint.PERSON_BUSINESS),
        (_OPENING, Hint.OPENING),
        (_PERSON, Hint.PERSON),
    ):
        if pattern.search(words):
            return hint
    return Hint.NONE


def is_recording(text: str) -> bool:
    """True where the words are a machine's even in the middle of a conversation."""
    return _RECORDING.search(_plain(text)) is not None


def speaks_as_greeting(text: str) -> bool:
    """True where the words are a recorded greeting's, which asks things of all who call: it speaks of the one
    that was reached, or to salesmen."""
    return _GREETING.search(_plain(text)) is not None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^a-z0-9' ]+", " ", text.lower().replace("’", "'")).split())
