"""Does a caller ask for somebody else's data? By rules for English; pure.

Callers act for their families: "I need my husband's appointment moved" is business, "did my husband call
you?" is not. How to reach those who work here is business, too, but for their homes and private telephones.
"""

import re

_ASKS = (
    r"(?:i'd like|i would like|what|when|which|who|where|tell|give|read|list|show|share|send|look up|need|"
    r"want|can you|could you|"
    r"do you|can i)"
)
_NEIGHBOUR = r"(?:ex[\w-]*|boss|neighbou?r|co-?worker|colleague|landlord|friend|tenant)"
_RELATIVE = r"(?:husband|wife|girlfriend|boyfriend|partner|sister|brother|fianc[eé]e?)"
_CHILD = r"(?:son|daughter|child|kid|baby|mother|father|mom|mum|dad|parents|grand\w+|aunt|uncle)"
_STAFF = (
    r"(?:dentist|doctor|dr|hygienist|assistant|receptionist|manager|owner|surgeon|orthodontist|specialist|"
    r"team|staff|"
    r"department|desk|secretary|accountant|nurse|boss of you)"
)
_PLACE = (
    r"(?:practice|office|company|clinic|place|insurance|insurer|pharmacy|lab|laboratory|hospital|school|"
    r"bank|building|"
    r"garage|store|shop|restaurant|hotel|university|dental|church|station|street|city|orthodontics)"
)
_NO_PERSON = (
    rf"(?:let|here|there|it|what|who|how|that|when|where|he|she|today|tomorrow|yesterday|tonight|week|month|"
    rf"year|"
    rf"(?:mon|tues|wednes|thurs|fri|satur|sun)day|{_STAFF}|{_PLACE}|{_CHILD}|{_RELATIVE})"
)
_STRANGER = r"(?:the |any |an? |your |some )?(?:last|previous|other|another|next|earlier|first) "
_OTHERS = (
    rf"(?:{_STRANGER}(?:caller|patient|customer|client|person|guy|lady|man|woman|people)s?(?:'s?)?|"
    r"other people(?:'s)?|(?:callers|patients|customers|clients)(?:')?|anyone else's|somebody else's|"
    r"someone else's|"
    rf"my (?:{_NEIGHBOUR}|{_RELATIVE})(?:'s|')|(?:mr|mrs|ms|miss)\.? \w+'s|"
    rf"(?<!doctor )(?<!dr )(?<!dr\. )(?<!mr )(?<!ms )(?!{_NO_PERSON}'s)[a-z]+'s)"
)
_DATA = (
    r"(?:names?|(?:phone |telephone |cell |home |mobile |new )*numbers?|address(?:es)?|appointments?|"
    r"records?|files?|"
    r"birthdays?|dates? of birth|accounts?|details|data|insurance|balance|diagnosis|bills?|e-?mails?|visits?|"
    r"information|history|social security)"
)
_PEOPLE = (
    rf"(?:callers?|patients?|customers?|clients?|(?:mr|mrs|ms|miss)\.? \w+|somebody|someone|anyone|anybody|"
    rf"everyone|everybody|people(?! (?:who|that|at|in|on|working|there|i|from)\b)|{_NEIGHBOUR}|{_RELATIVE})"
)
_A_NAME = (
    r"(?!(?:Doctor|Dr|Maple|The|This|That|It|There|Your|He|She|Everything|Anybody|Somebody|Today|Tomorrow|"
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day)\b)(?-i:[A-Z][a-z]+ [A-Z][a-z]+)"
)
_SOMEBODY = rf"(?:(?:mr|mrs|ms|miss)\.? \w+|my (?:{_NEIGHBOUR}|{_RELATIVE})|{_A_NAME})"
_PRIVATE = re.compile(
    rf"\b{_ASKS}\b[^.?!]{{0,40}}\b{_OTHERS} (?:\w+ )?{_DATA}\b|\bwhat (?:is|was|"
    rf"are)\b[^.?!]{{0,20}}\b{_OTHERS} {_DATA}\b|"
    rf"\b(?:doctor|dr\.?) [a-z]+'s (?:home|private|personal|cell|mobile)\b|"
    rf"\b{_ASKS}\b[^.?!]{{0,30}}\b(?:{_DATA}|list) (?:of|from|about) (?:all |every |each )?"
    rf"(?:the |your |my |those )?(?:last|previous|other|another|earlier|first)? ?{_PEOPLE}\b|"
    rf"\b(?:name|number|address|list)s?\b[^.?!]{{0,20}}\b(?:everybody|everyone|people|patients|callers|"
    rf"customers) who "
    r"(?:was|were|came|called|come|comes|is coming|are coming|is booked|are booked)\b|"
    r"\bwho (?:else )?(?:called|phoned|rang|booked|has called|was there|comes|is coming)\b(?! (?:me|"
    r"us)\b)[^.?!]{0,30}"
    r"\b(?:before|earlier|today|yesterday|else|last|tomorrow)\b|"
    r"\bwho else\b[^.?!]{0,30}\b(?:booked|coming|there|called)|"
    rf"\b(?:whether|if) {_SOMEBODY} (?:has|had|was|is|came|called|booked|comes|owes|showed up)\b(?! (?:to|"
    rf"allowed)\b)|"
    r"\b(?:guy|man|woman|lady|person|one|patient|caller) (?:who|that) (?:was|came|called|sat)\b[^.?!]{0,20}"
    r"\b(?:before (?:me|us)|after (?:me|us)|next to (?:me|us)|at (?:\d|noon|\w+$))|"
    r"\b(?:do|did) you have an? (?:patient|client|customer|caller) (?:called|named|by the name)\b|"
    r"\bwho(?:'s| is| was)? (?:your|the) (?:next|last|previous|other) (?:patient|caller|customer|client)\b|"
    r"\b(?:cancel|move|change|postpone|push|delete|confirm)\b[^.?!]{0,12}\b"
    rf"(?:my {_NEIGHBOUR}'s|everybody(?:'s)?|everyone(?:'s)?|all (?:the |your )?(?:appointments|patients)|"
    r"somebody else's|someone else's)|"
    r"\bwhat did (?:the )?(?:last|previous|other) \w+ (?:say|want|tell|ask)|"
    rf"\b(?:has|did|does|is|was|have) {_SOMEBODY} (?:already |just |ever |still |even )?(?:call(?:ed)?\b|"
    rf"book(?:ed)?\b|"
    r"been\b|have\b(?! to)|has\b|come\b|coming\b|owe|an? (?:client|customer|patient)|there\b|here\b|in\b)|"
    rf"\bwhen(?:'s| is| was| does| did| will| has)? {_SOMEBODY} (?:coming|come|due|booked|in\b|there|here|"
    rf"scheduled|"
    r"arriving|visiting|been)|"
    rf"\b(?:what|which) {_DATA} (?:does|has|did|is) {_SOMEBODY}\b|"
    rf"^(?:[\w']+ )?(?:is|was) (?!(?:it|this|that|there|he|she|the|"
    rf"my {_CHILD})\b)[\w'.-]+(?: [\w'-]+)? (?:your|a) "
    r"(?:patient|client|customer)\b(?! (?:satisfaction|service))|"
    r"\b(?:confirm|tell me|know|check|find out) (?:that|if|whether) (?!i\b|i'm\b)[\w' ]{2,30} (?:is|"
    r"was) (?:your|a) "
    r"(?:patient|client|customer)\b",
    re.I,
)
_ACTING = re.compile(
    r"\b(?:mov(?:e|ed|ing)|chang(?:e|ed|ing)|cancel\w*|resched\w*|book\w*|mak(?:e|ing)|confirm|push\w*|"
    r"postpone\w*|"
    r"switch\w*|set up|schedul\w*|arrange|pay(?:ing)?|bring|call(?:ing)? about|remind|come to|"
    r"take)\b[^.?!]{0,25}"
    rf"\bmy {_RELATIVE}(?:'s|')|\bmy {_RELATIVE}(?:'s|') (?:\w+ )?(?:appointment|visit|cleaning|booking|"
    rf"bill) "
    r"(?:\w+ )?(?:moved|changed|cancelled|canceled|rescheduled|booked|confirmed|postponed|pushed|paid)\b",
    re.I,
)


def asks_for_others_data(plain: str) -> bool:
    """:param plain: one line, with straight apostrophes."""
    return _PRIVATE.search(plain) is not None and _ACTING.search(plain) is None
