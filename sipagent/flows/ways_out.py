"""What every state understands besides its own: a person is wanted, something is to be said again. Pure."""

import re

_SOMEBODY = (
    r"(?:(?:a|an|the|some|your|my|another|any) )?(?:\w+ )?(?:person|human(?: being)?|agent|operator|"
    r"representative|receptionist|somebody|someone|people|staff|manager|secretary|assistant|customer service|"
    r"(?:front )?desk|real one|anybody|anyone|colleagues?|one of (?:your|the) \w+)"
)
_LEAD = (
    r"(?:(?:um|uh|please|just|well|okay|ok|an|a|the|hi|hello|sorry|no|yes|can you|could you|would you)"
    r"[,. ]+)*"
)
_OPERATOR = re.compile(
    rf"\b(?:speak|talk|speaking|talking|chat)\b(?: \w+){{0,2}} (?:to|with) {_SOMEBODY}\b|"
    rf"\b(?:connect|transfer|put|get|give|pass|switch|send|patch|hand|forward)\b(?: me| this call| us)?"
    rf"(?: (?:over|through|on|back))*(?: to| with| on)? {_SOMEBODY}\b|"
    rf"^{_LEAD}(?:transfer|connect|forward) (?:me|this call|us)[,. ]*(?:please|now)?[.!?]*$|"
    rf"\bput (?:me|us) through[,. ]*(?:please|now)?[.!?]*$|"
    r"\b(?:a )?(?:real|actual|live|human|proper) (?:person|human|being|agent|somebody|someone)\b|"
    r"\b(?:want|need|get|would like|i'd like|prefer|(?:can|could|may) i have)(?: to (?:have|get|see))? "
    r"(?:a |an )?(?:human|person|agent|operator|representative)\b|"
    rf"^{_LEAD}(?:operator|agent|representative|human|person|reception|front desk|receptionist|somebody|"
    r"someone|customer service)\b[,. ]*(?:please|now)?[.!?]*$|"
    r"\b(?:not|don't want(?: to)?|instead of|rather than|hate|stop)\b[^.?!]{0,30}\b(?:robot|machine|bot|"
    r"computer|recording|automated)\b|"
    r"\bis there (?:a|any)(?:body|one|n actual person| person| human)(?: \w+)? (?:i can|there|"
    r"to) (?:talk|speak)\b|"
    r"\bis there (?:a|an|any) (?:person|human|agent|operator)(?: there| here| around)?\s*[?.!]*$",
    re.I,
)
_NOT_WANTED = re.compile(
    r"\b(?:was|were|been|already|yesterday|earlier|just now) (?:just )?(?:speak|talk)ing\b|"
    r"\b(?:give|get|send|need|want)(?: me| us)? (?:(?:a|an|the|some) )?(?:\w+ )?"
    r"(?:person|somebody|someone|anybody|anyone|people|agent|manager|assistant)"
    r" (?:to|who|that|for)\b(?! (?:can |will |could |would )?(?:talk|speak|help|answer|assist|chat))|"
    r"\b(?:don't|do not|no need to|needn't|never|not)(?: \w+){0,2} (?:speak|talk|connect|transfer|put|get|"
    r"give|pass|switch|forward)\b(?![^.?!]*\b(?:robot|machine|bot|computer|recording|automated)\b)|"
    r"\b(?:don't|do not) (?:want|need) (?:a |an |the |any )?(?:human|person|agent|operator|representative)\b",
    re.I,
)
_REPEAT = re.compile(
    r"^(?:(?:sorry|um|uh|oh|wait|hang on|i'm sorry)[,. ]*)*(?:pardon(?: me)?|what(?: was that| did you say)?|"
    r"sorry|excuse me|huh|come again|hello|are you there|(?:please )?(?:don't|do not) hang up)\W*$|"
    r"\b(?:say (?:that|it) again|repeat (?:that|the question|it|yourself|what)|come again|one more time|"
    r"what (?:was that|did you (?:just )?(?:say|ask))|what was the question|(?:can't|couldn't|didn't|"
    r"did not|can "
    r"not|cannot|hardly) (?:quite )?(?:hear|catch|understand|get) (?:you|that|what)|you(?:'re|"
    r" are) breaking up|"
    r"could you repeat|can you repeat|please repeat)\b",
    re.I,
)


def wants_person(text: str) -> bool:
    """A person is asked for, or a machine refused. Whoever only tells of one, or wants none, does not."""
    return _OPERATOR.search(text) is not None and _NOT_WANTED.search(text) is None


def wants_repetition(text: str) -> bool:
    """The caller has not understood."""
    return _REPEAT.search(text) is not None
