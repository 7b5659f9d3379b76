"""What the voice is given instead of what the model wrote."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipagent.brain.clauses import ClauseSplitter
from sipagent.brain.numerals import cardinal, grouped_digits, in_pairs, ordinal, year
from sipagent.brain.spoken import speakable

pytestmark = pytest.mark.unit

READINGS = [
    # times
    ("9:30 am", "nine thirty A M"),
    ("9 a.m.", "nine A M."),
    ("At 9 a.m. we open.", "At nine A M we open."),
    ("at 9:05", "at nine oh five"),
    ("at 9:00", "at nine o'clock"),
    ("at 14:30", "at fourteen thirty"),
    ("5PM.", "five P M."),
    ("9am-5pm", "nine A M to five P M"),
    ("10:00 AM – 5:30 PM", "ten A M to five thirty P M"),
    # money
    ("$120", "one hundred twenty dollars"),
    ("$1.50", "one dollar and fifty cents"),
    ("$0.99", "ninety nine cents"),
    ("$1,200.", "one thousand two hundred dollars."),
    ("$1.5 million", "one point five million dollars"),
    ("$10-$20", "ten to twenty dollars"),
    ("$50/month", "fifty dollars per month"),
    ("€20 or £5", "twenty euros or five pounds"),
    ("20 USD", "twenty dollars"),
    # dates
    ("3/14", "March fourteenth"),
    ("3/14/2026", "March fourteenth, twenty twenty six"),
    ("2026-11-22", "November twenty second, twenty twenty six"),
    ("Nov 22nd", "November twenty second"),
    ("Nov. 22, 2026.", "November twenty second, twenty twenty six."),
    ("the 5th of May", "May fifth"),
    ("March 3-5", "March third to fifth"),
    ("1/2 cup", "one half cup"),
    ("in 1999", "in nineteen ninety nine"),
    ("the 1990s", "the nineteen nineties"),
    # phones and codes
    ("555-123-4567", "five five five, one two three, four five six seven"),
    ("(555) 123-4567.", "five five five, one two three, four five six seven."),
    ("+1 555 123 4567", "plus one, five five five, one two three, four five six seven"),
    ("2125551234", "two one two, five five five, one two three four"),
    ("911", "nine one one"),
    ("extension 4521", "extension four five two one"),
    ("Suite 204", "Suite two oh four"),
    ("1428 Elm Street", "fourteen twenty eight Elm Street"),
    # numbers
    ("10%", "ten percent"),
    ("12.5% off", "twelve point five percent off"),
    ("10-15%", "ten to fifteen percent"),
    ("the 22nd", "the twenty second"),
    ("9-5", "nine to five"),
    ("1,200 people", "one thousand two hundred people"),
    ("3.5 hours", "three point five hours"),
    ("-5", "minus five"),
    ("007", "zero zero seven"),
    ("5 km", "five kilometers"),
    ("1 lb", "one pound"),
    ("6 ft", "six feet"),
    ("98.6°F", "ninety eight point six degrees Fahrenheit"),
    ("30 min. walk", "thirty minutes walk"),
    ("#5", "number five"),
    ("COVID-19", "COVID nineteen"),
    ("24/7", "twenty four seven"),
    ("version 1.2.3", "version one point two point three"),
    ("½", "one half"),
    ("1½ hours", "one and one half hours"),
    ("٣ apples", "three apples"),
    # abbreviations
    ("Dr. Smith", "Doctor Smith"),
    ("5 Elm Dr.", "five Elm Drive"),
    ("St. Mary's", "Saint Mary's"),
    ("12 Elm St. Suite 4", "twelve Elm Street Suite four"),
    ("Mr. and Mrs. Lee", "Mister and Missis Lee"),
    ("e.g. on Monday", "for example on Monday"),
    ("fillings, etc. We", "fillings, et cetera. We"),
    ("Mon-Fri", "Monday to Friday"),
    ("Tue. and Wed. morning", "Tuesday and Wednesday morning"),
    ("the U.S. office", "the U S office"),
    # the web
    ("info@maple-dental.com", "info at maple dash dental dot com"),
    ("www.mapledental.com.", "mapledental dot com."),
    ("MapleDental.com", "maple dental dot com"),
    ("at https://maple.com/book?x=1#top.", "at our website."),
    ("[our page](https://x.com/y)", "our page"),
    # markup
    ("**Hello** _there_ *friend*!", "Hello there friend!"),
    ("# Heading\nText", "Heading Text"),
    ("- One\n- Two", "One. Two."),
    ("1. First\n2. Second", "one, First. two, Second."),
    ("| a | b |\n|---|---|\n| 1 | 2 |", "a, b. one, two."),
    ("Say `now` ```x = 1``` please", "Say now please"),
    ("<b>Hi</b><br>there &amp; then", "Hi there and then"),
    ("Hello<|im_end|>", "Hello"),
    ("<think>hm, what</think>Hello.", "Hello."),
    # stage directions and labels
    ("*smiles* Sure.", "Sure."),
    ("*clears throat* Well.", "Well."),
    ("Hello (laughs) there [pause] you.", "Hello there you."),
    ("That is *very* good.", "That is very good."),
    ("Please *check your email*.", "Please check your email."),
    ("It takes time (about 10 minutes).", "It takes time, about ten minutes."),
    ("Assistant: Hello.", "Hello."),
    ("**Agent:** Hello.", "Hello."),
    ("One moment *smi", "One moment"),
    # signs
    ("Great 😀👍🏽!", "Great!"),
    ("Hello :) there", "Hello there"),
    ("Really?!! Yes…", "Really? Yes."),
    ("Well... maybe", "Well, maybe"),
    ("Yes — of course – now", "Yes, of course, now"),
    ("it’s “fine”", "it's fine"),
    ("and/or he/she w/o Tom & Jerry", "and or he or she without Tom and Jerry"),
    # nothing to say
    ("", ""),
    ("😀", ""),
    ("***", ""),
    ("*nods*", ""),
    ("---", ""),
]
WORD_LIST = "hello we can't help you today well-known Monday I A it's okay"
WORDS = st.sampled_from(WORD_LIST.split())
PROSE = st.lists(
    st.tuples(WORDS, st.sampled_from(["", "", "", ",", ".", "!", "?", ";", ":"])), max_size=20
).map(lambda pairs: " ".join(word + sign for word, sign in pairs))
PIECE_LIST = (
    "Dr. St. 9:30 am p.m. $1.50 3/14 2026-11-22 555-123-4567 (555) ** * _ ` [x] (laughs) e.g. etc. Mon-Fri "
    "9-5 1,200 22nd a@b.co www.x.com/ http:// Nov 22 - – ... ?! 1. # | <b> </b> it's smiles AI: U.S. 1e9 ½ "
    "100% ~3 ٣ 10⁵ Ⅷ \x00 ㊿ 1½"
)
PIECES = st.lists(st.sampled_from([*PIECE_LIST.split(), "\ud800", " ", "\t"]), max_size=14).flatmap(
    lambda words: st.sampled_from([" ".join(words), "".join(words), "\n".join(words)])
)


@pytest.mark.parametrize(("written", "spoken"), READINGS)
def test_reading(written: str, spoken: str) -> None:
    assert speakable(written) == spoken


@pytest.mark.parametrize("spoken", [spoken for _, spoken in READINGS])
def test_a_reading_is_read_as_it_is(spoken: str) -> None:
    assert speakable(spoken) == spoken


@given(text=PIECES | st.text(max_size=120))
@settings(max_examples=200, deadline=None)
def test_only_what_a_voice_can_say_comes_out(text: str) -> None:
    spoken = speakable(text)
    assert all(c in " .,;:!?'-" or c.isalpha() or unicodedata.category(c) in ("Mn", "Mc") for c in spoken)
    assert "  " not in spoken
    assert spoken == spoken.strip()
    assert not spoken or any(c.isalpha() for c in spoken)


@given(text=PROSE)
@settings(max_examples=100, deadline=None)
def test_plain_prose_is_left_alone(text: str) -> None:
    assert speakable(text) == text


@given(number=st.integers(0, 10**15))
def test_numbers_never_keep_a_digit(number: int) -> None:
    assert cardinal(number).replace(" ", "").isalpha()
    assert speakable(f"It is {number}.").startswith("It is ")


@pytest.mark.parametrize(
    "unit", ["9", "9,", "9.", "(", "[", "*a", "a@", "http://", ". ", "<a", "$9", "9/", "`", "| ", "- "]
)
@pytest.mark.parametrize("ending", ["", "%", ".5 km"])
def test_endless_rows_are_survived(unit: str, ending: str) -> None:
    spoken = speakable(unit * 2000 + ending)
    assert not any(c.isdigit() for c in spoken)


def test_numerals() -> None:
    assert cardinal(0) == "zero"
    assert cardinal(1_000_001) == "one million one"
    assert cardinal(-12) == "minus twelve"
    assert cardinal(10**16) == "one" + " zero" * 16
    assert [ordinal(n) for n in (1, 12, 20, 33, 100)] == [
        "first",
        "twelfth",
        "twentieth",
        "thirty third",
        "one hundredth",
    ]
    assert [year(n) for n in (1066, 1900, 1905, 2000, 2007, 2026)] == [
        "one thousand sixty six",
        "nineteen hundred",
        "nineteen oh five",
        "two thousand",
        "two thousand seven",
        "twenty twenty six",
    ]
    assert [in_pairs(n) for n in ("7", "120", "204", "1400", "3000", "12345")] == [
        "seven",
        "one twenty",
        "two oh four",
        "fourteen hundred",
        "three thousand",
        "one two three four five",
    ]
    assert grouped_digits("1234567") == "one two three, four five six seven"


def test_a_reply_says_the_same_in_clauses() -> None:
    reply = (
        "Sure! Dr. Smith has time on Nov. 22, 2026 at 9:30 a.m. *checks calendar* The cleaning is $1,200.50, "
        "or 10-15% less on weekdays. Call (555) 123-4567, or write to info@maple.com."
    )
    splitter = ClauseSplitter()
    clauses = [clause for character in reply for clause in splitter.push(character)] + splitter.flush()
    assert len(clauses) > 2
    assert " ".join(speakable(clause) for clause in clauses) == speakable(reply)


def test_eighty_three_is_no_smile() -> None:
    assert speakable("It costs 83 dollars.") == "It costs eighty three dollars."
    assert speakable("Fine 8-)") == "Fine"
