"""Is a caller insulting, threatening or lewd? By rules for English; pure.

Swearing at a tooth, a line or oneself is none; it must be the agent or its people that are meant.
"""

import re

_INSULT = (
    r"(?:idiots?|morons?|stupid|imbeciles?|useless|worthless|pathetic|dumb\w*|piece of (?:shit|crap|junk|"
    r"garbage|"
    r"trash)|bitch\w*|bastards?|asshole\w*|arsehole\w*|cunts?|whores?|sluts?|scum|pigs?|trash|garbage|"
    r"losers?|"
    r"retard\w*|wankers?|dickhead\w*|jackass|jerks?|motherfuck\w*|(?:fucking|bloody|goddamn) \w+|ugly|fool)"
)
_YOU = r"(?<!did )(?<!do )(?<!can )(?<!could )(?<!will )(?<!would )\byou"
_TARGET = (
    r"(?:your (?:\w+ )?(?:place|office|house|family|building|kids|practice|face|head|car|neck)|"
    r"(?:down )?the (?:place|building|office))"
)
_NOT_MEANT = r"(?! (?:on|in|at|there|later|an?|the|when|if|back|by|to it|some|my|over|an email|online)\b)"
_ABUSE = re.compile(
    rf"{_YOU}(?:'re| are| guys are| people are| all are| lot are)? (?:(?:such|just|nothing but|really|all|"
    rf"so|a|an|"
    rf"the|fucking|bloody|total|complete|absolute|goddamn|damn|stupid|little|dirty|old|worthless|"
    rf"useless) )*{_INSULT}\b|"
    rf"\bbunch of {_INSULT} you\b|\byou(?:'re| are) (?:so )?dead\b(?! (?:right|wrong|on|set|tired|sure))|"
    r"\b(?:fuck|damn) (?:you|off|yourself)\b|(?<!the )(?<!a )(?<!that )(?<!this )(?<!one )\bscrew (?:you|"
    r"off)\b"
    r"(?! (?:put|placed|used|gave|have|need|said))|\bgo (?:fuck|screw|kill) yourself\b|"
    r"(?:^|[.,!?;] ?|\byou (?:can|should|may)(?: all)?(?: just)? |\b(?:and|oh|just|so|now|please|well|okay|"
    r"ok) )"
    r"go to hell\b(?! and back)|"
    r"(?<!is )(?<!was )(?<!it )(?<!were )(?<!are )\bshut (?:the (?:fuck|hell) )?up\b(?! (?:shop|for))|"
    r"\bkiss my ass\b|\bup yours\b|\bdrop dead\b(?! gorgeous)|\b(?:eat shit|suck my)\b|"
    r"(?<!don't )(?<!not to )\bkill yourself\b(?! (?:laughing|over|for))|\bknow where you live\b|"
    r"\bhope you(?: all)? (?:die|rot|choke)\b|\bcome (?:over|down) there and (?:hurt|kill|shoot|beat) |"
    r"\b(?:i will|i'll|i'm going to|i'm gonna|gonna|we'll|someone should|somebody should) "
    r"(?:come (?:over|down)(?: there)? and )?(?:i'll )?"
    rf"(?:(?:kill|hurt|beat|burn|smash|bomb|shoot|destroy|slap|punch|strangle) (?:you\b{_NOT_MEANT}|"
    rf"down (?:you|your)|{_TARGET})|"
    r"(?:hunt|get|find) you (?:and (?:i|hurt|kill|beat|your)|all\b|for (?:this|that)|one day)|hunt you down)|"
    r"\b(?:sexy|horny|nude|naked(?! (?:eye|truth|tooth|teeth|root|nerve)))\b|"
    r"\bwhat are you wearing\b|\btalk dirty\b|\bsleep with me\b|"
    r"^(?:(?:oh|well|hey|no|god|what|a|an|you) )*(?:idiots?|morons?|bitch|asshole|cunt|bastards?|"
    r"motherfucker)\b"
    r"(?! (?:i|that i|am|me|of me)\b)",
    re.I,
)


def is_abuse(plain: str) -> bool:
    """:param plain: one line, with straight apostrophes."""
    return _ABUSE.search(plain) is not None
