"""Does the language model's endpoint answer, with this key and this model?"""

from collections.abc import Iterator

from sipagent.brain.endpoint import EndpointModel, endpoint_of
from sipagent.cli.check_models import Finding
from sipagent.config.schema import Config
from sipagent.errors import EngineError


def endpoint_findings(config: Config) -> Iterator[Finding]:
    """Ask the endpoint for one token. What fails is fatal only where no local model steps in."""
    section = config.llm.openai
    if section is None:
        return
    try:
        model = EndpointModel(endpoint_of(section), max_calls=1, context_tokens=config.llm.context_tokens)
    except EngineError as error:
        yield Finding("llm.openai.ca_file", str(error).removeprefix("llm.openai.ca_file: "))
        return
    try:
        model.probe()
    except EngineError as error:
        text = str(error).removeprefix("llm.openai: ")
        steps_in = "; until it answers, the local model does" if section.local else ""
        yield Finding("llm.openai.url", text + steps_in, is_fatal=not section.local)
    finally:
        model.close()
