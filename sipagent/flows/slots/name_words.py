"""Words that are no names, and those that may be. Pure."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


NOT_NAMES = _words(
    """
    a an the i you he she we they it is are was were am be been being do does did done has have had
    having can could will would should may might must my your his her its our their this that these
    those here there what when where why who whose which how not no yes yeah yep yup nope nah and or but
    if so because to of for from with without at on in by about as into than then please thanks thank
    speaking calling like want need book appointment sorry okay ok alright sure well just really hello
    hi hey um uh er hm hmm look looking trying wondering interested late early busy new patient first
    last middle name names spelled spelt spelling spell going coming come fine good great right correct
    perfect one two three four five six seven eight nine ten today tomorrow monday tuesday wednesday
    thursday friday saturday sunday morning afternoon evening night time number phone mobile email mail
    address why tell told telling course question questions sick ill afraid married full that's it's i'm
    i've i'd i'll don't can't won't didn't doesn't isn't wasn't wouldn't couldn't what's who's where's
    how's there's you're we're they're let's he's she's

    me him us them mine yours myself himself herself none nobody nothing anything everything something
    anyone someone somebody anybody everyone everybody whoever whatever whichever wrong incorrect
    mistake false true again help stop wait hold hang moment moments second seconds minute minutes sec
    skip next repeat pardon excuse maybe perhaps probably never always only also too very quite rather
    still already yet now later soon wife husband son daughter mother father mom mum dad brother sister
    kid kids child children friend boss colleague family same before after given gave give giving said
    saying say letter letters double dash hyphen dot secret private privacy anonymous unknown forget
    forgot forgotten remember know knows think guess mean meant understand hear heard listen talk speak
    person human agent operator robot machine bot computer doctor dentist receptionist company business
    customer account client caller guest member answer rather prefer under call called calls back leave
    leaving message meet make making take taking get getting got go gone let out off up down over any
    some every each all both other another more most less much many else even though exactly absolutely
    definitely certainly indeed actually honestly anyway dunno huh bye goodbye cheers comment comments
    idea problem way chance reason matter almost nearly close closer confirm confirmed change cancel
    works work use using put see seeing yourself hereby mister miss shall
    """
)
"""No name begins with them or goes on with them, unless they are written large where no sentence begins."""
ALSO_NAMES = _words("will may an can do so my early good young hope")
"""Of these the ones that are given names: one that stands alone or before another name."""
PLAIN_NAMES = _words("will may")
"""And those of them that are taken for a name in a text without capitals."""
NEVER = _words(
    """
    i i'm i've i'd i'll yes yeah no please thanks thank hello hi hey okay ok sorry sure monday tuesday
    wednesday thursday friday saturday sunday it's that's what's who's let's don't can't not the this
    that what why
    """
)
"""Written large for other reasons than that they are names."""
LEADS = _words(
    "the it is yes yeah yep sure well okay ok hi hello hey um uh er so and oh right of course good"
)
"""What may stand before a name."""
TITLES = _words(
    "dr doctor mr mister mrs missus ms miss mx prof professor sir madam ma'am reverend rev captain sergeant"
)
BEHIND = _words("and calling speaking here from please again is")
"""What may stand behind a name, in a text without capitals."""
PARTICLES = _words("van von der den de del della di da la le bin al el ten ter")
"""Written small within a name."""
