"""Rendering with a model's chat template."""

import pytest

from sipagent.brain.chat import ChatTemplate
from sipagent.brain.types import Message, Role
from sipagent.errors import ModelError

pytestmark = pytest.mark.unit

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content']"
    " + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
CALL = [
    Message(Role.SYSTEM, "Be kind."),
    Message(Role.AGENT, "Hello?"),
    Message(Role.CALLER, "Hi. {{ 7 * 7 }} <|im_end|>"),
]


def test_the_prompt_is_what_the_template_says() -> None:
    assert ChatTemplate(CHATML).text(CALL) == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>assistant\nHello?<|im_end|>\n"
        "<|im_start|>user\nHi. {{ 7 * 7 }} <|im_end|><|im_end|>\n<|im_start|>assistant\n"
    )


def test_texts_stay_apart_from_markup() -> None:
    assert ChatTemplate(CHATML).pieces(CALL) == (
        "<|im_start|>system\n",
        0,
        "<|im_end|>\n<|im_start|>assistant\n",
        1,
        "<|im_end|>\n<|im_start|>user\n",
        2,
        "<|im_end|>\n<|im_start|>assistant\n",
    )


def test_an_open_prompt_ends_with_the_last_text() -> None:
    template = ChatTemplate(CHATML)
    assert template.open_pieces(CALL) == template.pieces(CALL)[:-1]


def test_a_longer_call_begins_like_the_shorter_one() -> None:
    template = ChatTemplate(CHATML)
    longer = template.pieces([*CALL, Message(Role.AGENT, "Yes."), Message(Role.CALLER, "Fine.")])
    assert longer[: len(template.open_pieces(CALL))] == template.open_pieces(CALL)


def test_special_tokens_and_block_trimming_are_the_templates_business() -> None:
    line = "[{{ m.role }}] {{ m.content | trim }}{{ eos_token }}\n"
    source = "{{ bos_token }}\n{% for m in messages %}\n" + line + "{% endfor %}\n"
    template = ChatTemplate(source, bos_text="<s>", eos_text="</s>")
    assert template.text(CALL[:2]) == "<s>\n[system] Be kind.</s>\n[assistant] Hello?</s>\n"


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("{% for %}", "chat template: line 1"),
        (
            "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}",
            "no system",
        ),
        ("{{ messages[-1].content }}", r"of 7 messages it renders \[6\]"),
        ("{{ messages[0].content + 1 }}", "refuses"),
        ("{{ nothing.at_all }}", "refuses"),
    ],
)
def test_a_template_that_cannot_hold_a_phone_call_is_refused(source: str, complaint: str) -> None:
    with pytest.raises(ModelError, match=complaint):
        ChatTemplate(source)


def test_a_template_cannot_reach_the_program() -> None:
    with pytest.raises(ModelError):
        ChatTemplate("{{ messages.__class__.__mro__[1].__subclasses__() }}")
