"""Does the caller want to know something, and is it the program's to answer? By rules for English; pure.

Only questions about the business are looked up and, where nothing is known, declined. Small talk, talk about
the call itself, requests ("can I book …") and answers are the conversation's.
"""

import re
from enum import Enum

from sipagent.knowledge.clauses import clauses_of


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile(r"(?<![\w'])(?:" + "|".join(alternatives) + r")(?!\w)")


_LEAD_IN = (
    r"(?:(?:hi|hello|hey|good (?:morning|afternoon|evening|day)|so|and|but|also|well|um+|uh+|er+|ok|okay|yes|"
    r"yeah|no|thanks|thank you|great|perfect|sorry|excuse me|please|actually|oh|alright|all right|right|then|"
    r"there|one (?:more|other|last) (?:thing|question)|(?:i have )?(?:a|one|another) (?:quick )?question)"
    r"[,.!?:; -]+)*"
)
_QUESTION = re.compile(
    rf"^{_LEAD_IN}(?:(?:what|when|where|who|whom|whose|why|how|which|is|are|am|was|were|do|does|did|can|could|"
    r"will|would|may|must|shall|should|have|has|had)(?:'s|'re|'ll|n't)?|any (?:idea|chance))\b"
)
_INDIRECT = _any(
    r"i (?:wanted|want|need|would like|would love) to (?:know|ask|find out|check|understand)",
    r"i'd (?:just )?(?:like|love) to (?:know|ask|find out)",
    r"i was (?:just )?(?:wondering|curious)",
    r"(?:i am|i'm) (?:just )?(?:wondering|curious|asking)",
    r"wonder(?:ed)? (?:if|whether|how|what|when|where)",
    r"(?:can|could|would) you (?:please )?tell me",
    r"tell me (?:about|how|what|when|where|who|if|whether)",
    r"do you (?:happen to )?know",
    r"i (?:don't|do not|didn't) know (?:if|whether|how|what)",
    r"any idea",
    r"(?:what|how) about",
)
_SOCIAL = _any(
    r"how(?:'s it going| are (?:you|things)| is (?:it going|your day)|'s your day| do you do)",
    r"what's (?:up|new)",
    r"nice to (?:meet|talk)",
    r"are you (?:a |an |really |still )*(?:robot|bot|machine|human|person|real|computer|ai|recording)",
    r"are you (?:still )?(?:there|okay|ok|serious|kidding)",
    r"am i (?:talking|speaking) (?:to|with)",
    r"who (?:am i|are you|is this|is speaking)",
    r"who's (?:this|speaking)",
    r"what(?:'s| is) your name",
    r"do you have a name",
    r"(?:can|do|did) you (?:still )?(?:hear|understand|get|catch)",
    r"(?:say|repeat|run) (?:that|it|this)",
    r"what did you (?:just )?say",
    r"what was that",
    r"pardon",
    r"come again",
    r"what do you (?:mean|think)",
    r"is (?:that|this|it) (?:okay|ok|right|correct|clear|all right|alright)"
    r"(?! (?:if|to|for|with|when|that)\b)",
    r"did you (?:write|note|put|make|book|get)",
    r"what (?:can|could) you (?:do|help)",
    r"(?:can|could) you (?:please )?help me",
    r"(?:may|can) i ask",
    r"i have a question$",
    r"what(?:'s| is| was) my name",
    r"(?:did|have) i (?:just )?(?:say|said|tell|told)",
    r"remember me",
)
"""Small talk, and talk about the call itself."""
_DAY = r"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|tomorrow)"
_APPOINTMENT = (
    r"(?:\w+ ){0,2}?(?:appointments?|bookings?|reservations?|slots?|openings?|calls?|messages?|notes?)"
)
_DEED = (
    rf"(?:book|schedule|(?:make|have|get) (?:an?|my|another|the) {_APPOINTMENT}|make (?:it|that|sure|a note)|"
    r"reserve|reschedule|move|change|cancel|confirm|set up|"
    r"come (?:in(?! with)|by(?! (?:bus|train|car|taxi|bike|public|foot|plane)\b)|over|on|at|around|today|"
    r"tomorrow|this|next)|"
    r"see (?:someone|somebody|(?:a|the|my|your) (?:doctor|dentist|hygienist)|me|us|him|her)|"
    r"(?:fit|squeeze|get) (?:me|us|him|her|my \w+) in|"
    r"speak (?:to|with|up|slow\w*|loud\w*|more|a bit|a little)|"
    r"talk|transfer|connect|put (?:(?:me|us|him|her|that|it|this) )?(?:through|down|on|back)|"
    r"(?:leave|take) (?:(?:you|him|her|them) )?(?:an? |my |the )?"
    rf"(?:{_APPOINTMENT}|name|number|details|order|word)|"
    r"take (?:(?:it|that|this) )?down|leave (?:it|that) with|call (?:me|back)|ring me|send|"
    r"(?:note|write) (?:(?:it|that|this|my \w+) )?(?:down|up)|note|spell|hold|wait)"
)
_REQUEST = _any(
    rf"(?:can|could|may|might|would|will) (?:i|we|you|he|she|they|my \w+) "
    rf"(?:please |maybe |also |just |perhaps |still )*{_DEED}",
    r"is (?:it|that) (?:okay|ok|all right|alright|fine|possible) "
    rf"(?:if (?:i|we|he|she)|(?:for \w+ )?to) {_DEED}",
    rf"(?:is|are) (?:there|you|{_DAY}) (?:any(?:thing)? |a |an )*(?:free|slots?|openings?|appointments?)",
    r"do you have (?:any(?:thing)?|something|a (?:slot|spot|opening|time)) "
    r"(?:free|available|open|on|for|next|this|tomorrow|today|in the)",
    r"what (?:times?|days?|slots?) (?:do you have|are (?:free|available|open)|would|work)",
    rf"would {_DAY} work",
)
"""Wants something done."""
_WISH = _any(
    rf"i (?:want|need|would like|was hoping|wanted|have) (?:you )?to (?:please )?{_DEED}",
    rf"i'd (?:like|love) (?:you )?to (?:please )?{_DEED}",
    rf"i(?:'d like| would like| want| need) (?:an?|my|the|another) {_APPOINTMENT}",
)
_MERELY_ASKS = re.compile(
    r"^(?:and |but |so )*(?:is|would|will|does|can|could|do) (?:that|it|this|you) "
    r"(?:(?:be|do|work|possible|okay|ok|fine|all right|alright|a problem|out|for|you|me|us|that|it|too|"
    r"please)\W*)+$"
)
"""Asks no more than whether what was said before can be done."""
_LEADS_ON = re.compile(
    r"(?:(?:ok|okay|oh|yeah|great|good|thanks|thank you|right)[,.! ]+)*"
    r"(?:and|what about|how about|but|also)\b"
)
_POINTS_BACK = re.compile(r"\b(?:it|its|that|this|them|they|those|these|there|one)\b(?! (?:is|are) an?\b)")
_FOLLOW_UP_WORDS = 10


class Asked(Enum):
    """What the caller's words ask for."""

    NOTHING = "nothing"
    """A statement, an answer, a greeting."""
    TALK = "talk"
    """Small talk, or something about the call."""
    DEED = "deed"
    """Something is to be done."""
    FACT = "fact"
    """Something is to be told."""


def asked_in(text: str) -> Asked:
    """What the caller's words ask for, if anything."""
    plain = _plain(text)
    if _SOCIAL.search(plain):
        return Asked.TALK
    clauses = clauses_of(plain)
    questions = [clause for clause in clauses if is_question(clause)]
    if not questions and not is_question(plain):
        return Asked.NOTHING
    is_bare = all(map(_MERELY_ASKS.match, questions)) and (len(clauses) == 1 or _WISH.search(plain))
    if _REQUEST.search(plain) or (questions and is_bare):
        return Asked.DEED
    return Asked.FACT


def is_question(clause: str) -> bool:
    """It asks something; also where no question mark tells so."""
    plain = _plain(clause)
    return bool(_QUESTION.match(plain) or _INDIRECT.search(plain) or plain.endswith("?"))


def is_follow_up(text: str) -> bool:
    """It leans on what was asked before: "and on Fridays?", "how much is that?"."""
    plain = _plain(text)
    leans = _LEADS_ON.match(plain) or _POINTS_BACK.search(plain)
    return leans is not None and len(plain.split()) <= _FOLLOW_UP_WORDS


def _plain(text: str) -> str:
    return " ".join(text.lower().replace("’", "'").split())
