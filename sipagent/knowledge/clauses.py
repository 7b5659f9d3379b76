"""A caller's words, clause by clause. English; pure.

Speech-to-text writes few signs, so that a question often begins in the middle: "I have a pacemaker is that a
problem". A verb before its subject ("is that", "can I", "where do you") tells where.
"""

import re

_SIGN = re.compile(r"(?<=[.,!?;:])(?<!\bdr\.)(?<!\bmr\.)(?<!\bms\.)(?<!\bmrs\.)(?<!\bst\.)\s+")
_SOMEBODY = r"(?:my|your|anybody|anyone|somebody|someone)"
_TURNED = (
    r"(?:(?:is|was) (?:it|there|this|that(?! (?:i|you|he|she|it|we|they|my|your|the|there)\b))|"
    r"are (?:you|there|they|these|those|we)|am i|"
    r"(?:do|don't|have|haven't|had) (?:i|you|we|they)|"
    rf"(?:does|doesn't) (?:it|that|this|he|she|the|{_SOMEBODY})|"
    r"did (?:i|you|we|they|he|she|it)|has (?:he|she|anybody|anyone|somebody|someone)|"
    r"(?:can|can't|could|will|won't|would|should|may|must) "
    rf"(?:i|you|we|they|he|she|it|that|this|{_SOMEBODY}))\b"
)
_BEGINS = re.compile(
    rf"(?:\b(?:what|when|where|whom?|how|which|why)(?: [\w'-]+){{0,3}}? |\b){_TURNED}|"
    r"\b(?:what|when|where|who|how|which|why)(?:'s|'re| is| are) (?:it|that|this|the|your|there)\b|"
    r"\b(?:what|when|where|how|why)(?: (?!(?:i|you|it|he|she|we|they|that|this)\b)[\w'-]+){0,2}? "
    r"(?:is|are|was|do|does|did|can|could|would|will|should|may)\b|"
    r"\bhow (?:much|many|long|often|far|late|early|soon|old)\b"
)
_LEADS = re.compile(r"(?:\b(?:and|but|so|then|or|also|well|um+|uh+) )+$")
_NO_QUESTION = re.compile(
    r"\b(?:neither|nor|so|things?|problem|issue|trouble|point|truth|fact|reason|all|"
    r"\w+'s|is|was|what|know|knew|tell|told|say|said|see|me|sure|wonder(?:ing)?|idea|ask(?:ing)?|"
    r"if|whether|of|about|on|that|depends|matter) $"
)
"""What stands before a clause that only looks like one: "so do I", "the thing is it hurts", "I know what it
is"; or before one that belongs to it: "tell me what that is"."""


def clauses_of(text: str) -> list[str]:
    """The clauses, in order. :param text: in lower case, with straight apostrophes."""
    return [clause for part in _SIGN.split(text) for clause in _by_order(part)]


def _by_order(part: str) -> list[str]:
    """Cut before each question that begins in the middle."""
    cuts = [0]
    for match in _BEGINS.finditer(part):
        before = part[: match.start()]
        leads = _LEADS.search(before)
        is_joined = leads is not None and not leads[0].startswith("so ")
        if not is_joined and _NO_QUESTION.search(before):
            continue
        at = leads.start() if leads is not None else match.start()
        if part[cuts[-1] : at].strip():
            cuts.append(at)
    ends = [*cuts[1:], len(part)]
    return [clause for begin, end in zip(cuts, ends, strict=True) if (clause := part[begin:end].strip())]
