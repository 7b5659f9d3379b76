"""The words with which people ask never to be called again. English; pure.

A request has a verb (stop, don't … call, remove, opt out …) and an object (me, this number, these calls). It
is none where the verb itself is denied ("don't stop"), asked about ("did you stop"), offered ("to opt out,
press nine"), or limited: to a time ("before nine"), a place with another beside it ("call my cell"), a name.
"""

import re

_CALL = r"(?:call|phone|ring|dial|contact|telephone)"
_CALLING = r"(?:calling|phoning|ringing|dialing|dialling|contacting|telephoning)"
_VEX = r"(?:bother|disturb|harass|pester|spam|annoy)"
_VEXING = r"(?:bothering|disturbing|harassing|pestering|spamming|annoying|blowing up)"
_CALLS = r"(?:phone |robo |sales |automated )?(?:calls|robocalls|phonecalls|calling)"
_ME = r"(?:me|us|him|her|them|here|people|any(?:one|body)|(?:my|our|this|that|these)\b(?: \w+)?" \
      r"|the (?:house|home|number|line|phone|family|household))"  # fmt: skip
_CALLED = rf"(?: (?:{_ME}|to|again|back|any ?more|no more|ever)\b|(?=[.,]|$))"
_NUMBER = (
    r"(?:(?:phone|cell|mobile|telephone|home) )?(?:number|name|details|info|information|data|contact|record)"
)
_OURS = rf"(?:me|us|(?:my|our|this|that) {_NUMBER})"
_LIST = r"(?:call(?:ing)? |phone )?(?:lists?|database|system|records?|files?|books?|directory|registry)"
_MY_LIST = (
    rf"(?:(?:your|the|that|this|any|all|every) (?:(?!wait|guest|shopping)\w+ ){{0,2}}{_LIST}|everything)"
)
_NEVER = r"(?:do not|don't|dont|never|not|mustn't|can't|cannot|shouldn't|didn't)"
_MORE = r"(?:(?:any|more|further|other|these|those|your|such|of|the|all|this|anymore|automated) )"

_STOP = rf"(?:stop|quit|cease|desist|cut out|end|cut it out)(?: and desist)?(?: it| out| off)?" \
        rf"(?: with| from| making)? {_MORE}{{0,3}}(?:{_CALLING}|{_VEXING}|{_CALLS})\b"  # fmt: skip
_DO_NOT_CALL = (
    rf"{_NEVER} (?:(?:you|ever|even|dare|please|to|try|keep|go|be|people) ){{0,3}}"
    rf"(?:(?:{_CALL}|{_CALLING}){_CALLED}|(?:{_VEX}|{_VEXING}) {_ME})"
)
_NOT_ALLOWED = rf"(?:(?:not|no longer|never) (?:allowed|permitted|welcome) to|no right to) (?:{_CALL}|{_VEX})"
_UNWANTED = (
    rf"(?:{_NEVER}|no longer) (?:(?:ever|really|even) )?(?:want|wish|like|care|need)(?: for)? "
    rf"(?:(?:(?:you|anyone|anybody|them)(?: people| guys| all)?|to be|to get|being|getting)(?: to)? "
    rf"(?:(?:ever|keep) )?(?:{_CALL}|{_CALLING}|called|contacted|phoned|{_VEX}|bothered|disturbed){_CALLED}"
    rf"|(?:to )?(?:(?:get|getting|receive|receiving|have|take|be getting) )?{_MORE}{{1,4}}{_CALLS}"
    r"|to hear from (?:you|this company))"
)
_REMOVE = rf"(?:remove|remov(?:ed|ing)|delet(?:e|ed|ing)|eras(?:e|ed|ing)|unsubscrib(?:e|ed|ing)) {_OURS}"
_TAKE = r"(?:tak(?:e|en|ing)|strike|cross|scratch|get|got|wipe|drop|pull|scrub|clear|purge|knock)"
_OFF = r"(?:off(?: of)?|from|out of)"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(rf"\b(?:{pattern})" for pattern in patterns))


_ORDERS = (
    re.compile(rf"\b{_STOP}"),
    re.compile(rf"\b{_REMOVE}(?= {_OFF} {_MY_LIST}|(?! {_OFF} ))"),
    re.compile(rf"\b(?:{_TAKE}|remove[d]?|deleted?|erased?) {_OURS} {_OFF}(?: {_MY_LIST}|(?= ?[.,]|$))"),
    re.compile(r"\b(?:lose|forget|throw away|burn) (?:my|our|this|that) (?:\w+ )?number"),
    re.compile(r"\bleave (?:me|us|my \w+|our \w+|this \w+) (?:the \w+ |all )?(?:alone|be|in peace)\b"),
)
"""What we shall do; said of somebody else they are none."""
_DO_NOT = (re.compile(rf"\b{_DO_NOT_CALL}"),)
"""What we shall not do; the same."""
_WISHES = (
    re.compile(rf"\b{_UNWANTED}"),
    _any(
        _NOT_ALLOWED,
        rf"(?:be|get) (?:removed|deleted|taken off) (?:{_OFF} )?{_MY_LIST}",
        rf"(?<!me )(?<!us )(?<!number )(?<!name )off (?:of )?{_MY_LIST}",
        r"(?:do[ -]not|don't|no)[ -]call (?:list|registry|register)|(?:as|a) do[ -]not[ -]call",
    ),
    _any(
        rf"(?:no|without) (?:more|further|additional) (?:of )?{_MORE}{{0,2}}{_CALLS}",
        rf"{_CALLS} (?:(?:have|has|need|needs|got|must|should|had better)(?: to)? )?(?:stop|end|cease)\b",
        r"(?:call|ring|phon)\w*\b[^.]{0,40} want (?:it|this|them) to (?:stop|end)\b",
        rf"want {_MORE}{{1,3}}{_CALLS} (?:to )?(?:stop|end|stopped|ended)",
        r"(?:never|not|don't|won't) (?:(?:be|get|being|getting|ever) ){1,2}(?:called|contacted|phoned)",
        rf"(?:tired|sick|fed up|done|enough|finished|through) (?:of|with) {_MORE}{{0,3}}{_CALLS}",
        rf"(?:want|like|need|have|get|see) {_OURS} (?:deleted|removed|erased|taken off)",
        r"not interested in (?:getting|receiving|having|any) (?:\w+ ){0,3}calls",
    ),
    _any(
        r"(?:revok(?:e|ing)|withdraw(?:ing)?|rescind(?:ing)?|take back) (?:my|our|any|all) (?:\w+ )?"
        r"(?:consent|permission|authorization|agreement)",
        rf"(?:{_NEVER}|no|without) (?:have |had |gave |give |given )?(?:you )?(?:any |my |our )?"
        rf"(?:permission|consent) to (?:{_CALL}|be called)",
        r"(?:not|don't|never) (?:consent|agree|agreed|consented) to (?:these|being|be|your|get|receive)",
        r"opt(?:ing|ed)? (?:(?:me|us|my number|this number) )?out\b"
        r"(?! of (?!this|these|your|all|the (?:calls|list)|calls|being|getting|it\b))",
        r"unsubscribe\b",
    ),
)
"""What is said of oneself."""
_BARE = frozenset(("stop", "quit", "unsubscribe"))
_FILLERS = frozenset(
    ["please", "just", "no", "hello", "hi", "hey", "ok", "okay", "now", "it", "that", "this", "yes", "yeah",
     "oh", "god", "uh", "um", "all", "right", "i", "said", "sir", "ma'am"]
)  # fmt: skip
"""A turn of these and a bare word is a request."""
_DENIED = re.compile(
    r"(?:\b(?:do not|don't|dont|didn't|never|won't|can't|cannot|not) (?:you )?"
    r"|\b(?:did|have|has|had|do|does|will) (?:you|they|he|she|we|i|somebody|someone) (?:ever |already )?"
    r"|\b(?:what does|what is|what's|(?:how|where) (?:do|can|could|would|to) (?:\w+ ){0,3}"
    r"|(?:if|when|since|until|before) you|me to|why did you) )$"
)
"""Before a request: it is none."""
_OF_OTHERS = re.compile(
    r"\b(?:i|we|they|he|she|who)(?:'ll|'d)? (?:(?:will|would|can|could|did|do|should) )?$"
)
"""Before an order: it is no order."""
_BEGGED = re.compile(r"\b(?:why don't|can't|won't|couldn't|wouldn't) you (?:just |please |ever )*$")
_HABIT = re.compile(r"\b(?:i|we|you|they|he|she|who|people|nobody|why|wife|husband|mother|doctor)(?:'d)? $")
"""Before "never call": it tells of somebody's habits …"""
_TOLD = re.compile(
    r"\b(?:told|tell|telling|asked|asking|warned|rather|prefer|wish|said|hope|could|would|can|will)"
    r" (?:that )?you $"
)
"""… but this does not."""
_OFFERED_AFTER = re.compile(r"^[^.]{0,60}\b(?:press|dial|push|hit|say|reply|visit)\b")
_OFFERED_BEFORE = re.compile(r"\b(?:(?:press|dial|push|hit|say) (?:\w+ ){1,3}(?:to|if|and) [^.]{0,30})$")
_DAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekends?|holidays?"
_HOUR = "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|half"
_LIMITED = re.compile(
    r"^[^.,]*?\b(?:before|after|until|till|today|tonight|tomorrow|so (?:early|late|often|much)|yet|during"
    r"|while|unless|between|(?:this|next) (?:week|morning|afternoon|evening|month|time|\w+day|hour)"
    rf"|in the (?:morning|afternoon|evening|night)|at (?:night|noon|this (?:hour|time)|lunch"
    rf"|dinner|\d|(?:about |around )?(?:{_HOUR}))"
    rf"|(?:right )?now|on (?:a |the )?(?:{_DAY})|over the weekend|for (?:a|the next|two|three|some) )"
)
"""Behind a request: it is one for a time …"""
_IMMEDIATE = re.compile(r"^ ?(?:right )?(?:now|today|this (?:minute|instant))\b")
"""… but not so behind an order."""
_PLACE = re.compile(r"^[^.,]*?\b(?:at (?:work|home|the office|my \w+)|on (?:this|that|my) \w+)")
_EVER = re.compile(r"^[^.,]*?\b(?:again|any ?more|ever|never)\b")
_ELSEWHERE = re.compile(
    r"\b(?<!to )(?<!or )(?<!not )(?<!n't )(?<!never )(?<!ever )(?<!i )(?<!i'll )(?<!will )(?<!you )"
    r"(?<!we'll )(?<!stop )(?<!we )(?<!dare )"
    r"(?:(?:call|phone|ring|try) (?:me|us|my|back|later|tomorrow|on|at|her|him)|use my)\b"
    r"(?! (?:\w+ ){0,3}and\b)"
)
"""Another way or time is named: they want to be called."""
_NAMED = re.compile(r"\b[Cc]all(?:ing)? (?:me|us) (?!I\b|I')(?=[A-Z][a-z])")
_AS_WHAT = re.compile(r"^ (?:a|an|that|names|as name)\b")


def asks_to_stop(text: str) -> bool:
    """True where the words mean: never call me again."""
    words = _plain(_NAMED.sub("call me as name ", text))
    if _is_bare(words):
        return True
    for patterns, is_meant in ((_ORDERS, _is_order), (_DO_NOT, _is_prohibition), (_WISHES, _is_wish)):
        for pattern in patterns:
            for match in pattern.finditer(words):
                before, after = words[: match.start()], words[match.end() :]
                if is_meant(before, match[0], after) and not _is_offer(before, after):
                    return True
    return False


def _is_bare(words: str) -> bool:
    said = set(re.sub(r"[.,]", " ", words).split())
    return bool(_BARE & said) and not said - _BARE - _FILLERS


def _is_order(before: str, order: str, after: str) -> bool:
    if _BEGGED.search(before) is None and (_DENIED.search(before) or _OF_OTHERS.search(before)):
        return False
    return _IMMEDIATE.search(after) is not None or _is_for_good(order, after)


def _is_prohibition(before: str, request: str, after: str) -> bool:
    if _HABIT.search(before) and not _TOLD.search(before):
        return False
    return _is_for_good(request, after)


def _is_wish(before: str, wish: str, after: str) -> bool:
    return _DENIED.search(before) is None and _is_for_good(wish, after)


def _is_for_good(request: str, after: str) -> bool:
    """Not for a time, a place or a name only."""
    if (
        _LIMITED.search(after)
        or _ELSEWHERE.search(after)
        or (request.endswith(" me") and _AS_WHAT.search(after))
    ):
        return False
    return _PLACE.search(after) is None or _EVER.search(request + after) is not None


def _is_offer(before: str, after: str) -> bool:
    """A machine's, of how to be called no more."""
    return bool(_OFFERED_AFTER.search(after) or _OFFERED_BEFORE.search(before))


def _plain(text: str) -> str:
    """Lower case; of the punctuation ``.`` and ``,`` are left, each behind its word."""
    text = re.sub(r"[.!?]+", ".", text.lower().replace("’", "'"))
    text = re.sub(r"[,;:]+|\s-+\s", ",", text)
    return " ".join(re.sub(r"[^a-z0-9'., -]+", " ", text).split())
