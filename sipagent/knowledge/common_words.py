"""Words that people use of everything. English; pure data.

Where nobody wrote them down they say nothing against an answer: "what would whitening *set* me *back*". Any
other word that the operator's texts do not have is a subject of its own: "root canals for *dogs*".
"""

import re

COMMON_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
    accidentally add afterwards ago agree ahead almost alone already alright although always amount answer
    anyhow anyway apparently appear apply approximately arrange arrive assume attend aunt average avoid
    aware away awful bad ballpark basic basically bear beat beautiful become been before beforehand began
    begin begun behind being believe best better bill blow bother boyfriend break bright broke broken
    bunch calm careful catch certain certainly chance charge cheap check child choose chose clear climb
    close collect comfortable comment common complete completely concern confirm confused consider contact
    continue cope correctly count couple cousin create cross cry currently customer dad daddy date deal
    dear decide definitely delay depend describe difference directly door double drive drop during each
    easily easy either else end especially eventually ever everyday exact example excellent except exist
    expect experience explain fact fairly fall family fancy fast feel fell fellow felt fiance fight figure
    fill final finally finding fine finish fit fix flexible forget forgot former free fresh fully future
    gave general generally gentle gets girlfriend given glad gone gotten grab granddaughter grandfather
    grandma grandmother grandpa grandson grow guess guest half hand handy happy hard hardly hate hello
    hide him hit hope hour hurry idea ideal imagine immediately important indeed inform instance instead
    intend interested involve issue job join jump kid kids kinda kindly knew known lady large later laugh
    lead least leave leaving left less lie list live load lose lost lots lovely luck luckily lucky main
    mainly making mama manage match maybe meant meet member mention mess met middle mine miss mistake
    modern mommy moved multiple mum name naturally nearly necessary needed neither nephew never niece
    nobody none nope normal normally notes nothing notice obviously occur odd okay old once open opinion
    option ordinary original otherwise ours ourselves pal partner pass past pay per perfect perhaps period
    person personally physical pick plain planning pleased plenty polite pop popular position possibility
    prefer prepare present press pretty previous probably process properly prove pull purpose push quarter
    question quiet raise ran random range rarely rather reach read really reason recently recommend
    regarding related remain remember remove reply request require response rest result return rid
    roommate rough route rude run safe sake sat save saw scared seeing seem seen separate seriously set
    settle several shall share short should silly simple simply since sit situation skip slightly slow
    smart snap somehow sometimes somewhat somewhere sound speak specific specifically speed spend split
    spoke spouse stand standing started state step stick strange strict stuff stupid such sudden suddenly
    suggest suit suitable suppose surely swing system taken teach tell tend test thanks their theirs
    thinking thought through throughout throw tight till tired together told too toss total totally touch
    tough toward track travel trouble true trust try tuck turned type typical typically ugly uncle
    understand unfortunately unless unusual upon useful using usually various via visitor wanna want warn
    wear weird went whatever whenever wherever whichever whoever willing win wish wonder wonderful word
    worked world worry worth write wrong wrote yesterday yet
    """,
    )
)
