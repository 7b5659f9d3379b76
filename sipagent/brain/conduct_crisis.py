"""Does a caller speak of harming themselves? By rules for English; pure.

What only sounds like it is taken out first: hair is dyed ("die my hair" is what speech-to-text writes), teeth
kill, people die laughing and cut themselves shaving. What is left is taken at its word.
"""

import re

_END = r"(?=\W*$|[,.;!?]| (?:and|but|so|because|right now|today|tonight|honestly|please)\b)"
_ANY_MORE = r"(?: any ?more| any longer)"
_HARM = r"(?:kill|hurt|harm|cut|burn|hang|shoot|drown|poison|stab)"
_HARMING = r"(?:killing|hurting|harming|cutting|burning|hanging|shooting|drowning|poisoning)"
_MISHAP = (
    r"(?: (?:badly|really|a (?:bit|little)))?"
    r"(?: (?:shaving|flossing|brushing|cooking|chewing|biting|eating|playing|falling|tripping|running|"
    r"working|"
    r"laughing|trying|lifting|skiing|climbing|by accident|accidentally|with (?:a |the |my )|in the (?:foot|"
    r"kitchen|gym)|"
    r"on (?:a|an|the|my|your|this|that|some|hot|it|ice)\b|at (?:work|the|football|school|home)|"
    r"when i (?:shave|eat|chew|fell|floss|brush)|while|over (?:this|that|it|the)|for (?:not )?\w+ing|to get|"
    r"doing|"
    r"in (?:work|coffee|paper|chocolate)))"
)
_IDIOMS = re.compile(
    r"\b(?:to |could |can |i'll )?(?:die|dye|died|dying) (?:it|my|his|her|the|them|a) \w+|"
    r"\b(?:dying|die) (?:to|for)\b (?!be\b)|\b(?:die|died|dying) (?:laughing|of|from|in)\b|"
    r"\b(?:embarrass|asham|mortif|humiliat)\w*\b[^.?!]*\bwanted to die\b|"
    r"\b(?:don't|do not|didn't|never|not) (?:really )?want(?:ed)? to die\b|"
    rf"\b(?:{_HARM}s?|killed|burnt|burned|shot|{_HARMING}) myself{_MISHAP}|"
    r"\bend(?:ing)? my life insurance|\btake my life (?:savings|story|insurance)|"
    r"\b(?:career|political|social|commercial|financial|professional) suicide\b|\b(?:be|is|was) suicide to\b|"
    r"\bsuicide (?:squad|mission|door)s?|\b(?:can|could|do|does) (?:you|one|people|kids|children|"
    r"somebody) overdose\b|"
    r"\b(?:he|she|they|we) jumped off\b",
    re.I,
)
_WISHES = (
    rf"\b(?:kill|harm)(?:ed|ing)? myself\b|"
    rf"\b(?:want|going|gonna|plan(?:ning)?|about|ready|able|urge|need|like|used) (?:to )?{_HARM} myself\b|"
    rf"\b(?:will|i'll|might|may|could|would|should|i'd|must|just) {_HARM} myself\b|"
    rf"\b(?:been|keep|kept|started|stop|am|i'm|about|of|like) {_HARMING} myself\b|"
    r"\b(?:hang|shoot|drown|poison|stab)(?:ing)? myself\b|\b(?:hurt|cut) myself (?:on purpose|again|"
    r"because)\b|"
    r"\bself[- ]?harm\w*|\bsuicid\w+|\bslit(?:ting)? my (?:wrists?|throat)|\bgun (?:to|in|at|"
    r"against) my (?:head|mouth)|"
    r"\bblow my brains out\b|\bbullet (?:in|through) my head\b|"
    r"\b(?:want|wanted|ready|like|going) to (?:die|be dead)\b|\bfeel like dying\b|"
    r"\bwish (?:i|that i) (?:was|were|had|could be|would be) (?:dead|never (?:been )?born|not alive)\b|"
    r"\bwish i(?:'d| had) never been born\b|\bwish i(?:'d| had| would| could)? (?:just )?(?:died|die)\b|"
    r"\b(?:end|ending|take|taking|took) my own life\b|\b(?:end|ending|take|taking) my life\b|"
    r"\bend(?:ing)? it all\b|"
    r"\b(?:want|wish) (?:it|this|everything) all (?:to (?:end|stop)|to be over|over|would end)\b|"
    r"\bwant it all to\b|\bput an end to (?:it all|my life|myself)\b"
)
_LIVING = (
    rf"\b(?:don't|do not|no longer|not|can't) (?:really |even )?(?:want|wish|feel like|bear) (?:to |being )?"
    rf"(?:(?:be )?(?:live|alive|living)(?:{_ANY_MORE}| like this|{_END})|be (?:here|around){_ANY_MORE}|"
    rf"exist\b)|"
    r"\b(?:don't|do not) (?:really |even )?want to wake up(?: (?:tomorrow|any ?more|again|ever|at all)|"
    rf"{_END})|\bnever wake up(?: again|{_END})|"
    rf"\b(?:can't|can not|cannot) (?:live like this|(?:go|carry|keep) on(?:{_ANY_MORE}| like this| living|"
    rf" much longer|"
    rf" with (?:my|this) life| without (?:him|her|them)|{_END}))|"
    r"\b(?:no|any|nothing|little) (?:more )?(?:reason|point|sense) (?:to|in|for) (?:me )?(?:to )?"
    rf"(?:live|living|be(?:ing)? (?:alive|here)|life|(?:go|carry)(?:ing)? on(?:{_ANY_MORE}|{_END}))|"
    r"\b(?:not sure|don't know)(?: if| that| whether)? i want to (?:(?:keep|go on) )?(?:live|living|"
    r"be alive)\b|"
    r"\b(?:what(?:'s| is)|see|is) (?:the|any|no) (?:point|use|sense|reason) (?:of|in) (?:(?:living|life|"
    r"being alive|it all)\b|going on"
    rf"(?:{_ANY_MORE}|{_END}))|"
    r"\bnothing (?:left |more )?to live for\b|\b(?:isn't|not|never) worth (?:living|it to live)\b|"
    rf"\b(?:tired|sick|weary|done) (?:of|with) (?:living|life|my life|being alive)(?:{_ANY_MORE}|{_END})|"
    r"\b(?:don't|do not) deserve to (?:live|be alive)\b|\bgiv(?:e|en|ing) up on life\b|"
    r"\b(?:be|are|is) (?:all )?better off (?:dead|without me(?! (?:at|in|on|there|today))|"
    r"if i (?:was|were|am) (?:dead|gone))|"
    r"\b(?:nobody|no one|no-one) (?:would|will|'d) (?:miss me|(?:even )?(?:care|notice) if i "
    r"(?:was|were|died|am) ?(?:dead|gone|not here)?)\b"
)
_DEEDS = (
    r"\b(?:took|taken|swallowed) (?:like |about |over |maybe |around )?(?:[1-9]\d+|twenty|thirty|forty|"
    r"fifty|sixty|"
    r"a hundred|dozens of)(?:[- ]\w+)? (?:[\w-]+ )?(?:pills|tablets|painkillers|capsules)\b|"
    r"\b(?:took|taken|swallowed|drunk|drank) (?:a|the) (?:whole |entire |full )?bottle of "
    r"(?!(?:water|wine|beer|juice|it)\b)\w+(?! to\b)|"
    r"\b(?:took|taken|swallowed|taking|take) (?:too many|a (?:whole )?(?:lot|bunch|bottle|box|pack|"
    r"handful) of|"
    r"the whole (?:bottle|box|pack) of) (?:(?:my|the|of|these|some) )*(?:[\w-]+ )?"
    r"(?:pills|tablets|medication|medicine|painkillers|meds)\b|"
    r"\b(?:took|taken|swallowed|taking) all (?:of )?(?:my|the|these|his|her) (?:[\w-]+ )?"
    rf"(?:pills|tablets|medication|painkillers|meds)(?: at once| together|{_END})(?!(?: and| but) (?:it|the|"
    rf"that|still))|"
    r"\boverdosed\b|\b(?:an|my) overdose\b|\b(?:i|i'll|i'm|i've)\b[^.?!]{0,25}\boverdos\w+|"
    r"\bjump(?:ing)? (?:off|from) (?:a|the|my|this) (?:bridge|roof|building|balcony|cliff|window)\b|"
    r"\bbridge\b[^.?!]*\b(?:want|going) to jump\b|\bthrow(?:ing)? myself (?:off|in front|under|from|out)\b|"
    r"\bdriv(?:e|ing) (?:my car |the car |myself )?(?:off|into) (?:a|the) (?:bridge|cliff|wall|tree|river)\b"
)
_CRISIS = re.compile(f"{_WISHES}|{_LIVING}|{_DEEDS}", re.I)


def is_despair(plain: str) -> bool:
    """:param plain: one line, with straight apostrophes."""
    return _CRISIS.search(_IDIOMS.sub(" ~ ", plain)) is not None
