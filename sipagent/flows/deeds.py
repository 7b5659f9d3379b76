"""What a step of a flow sets going before anything is asked again. Pure."""

from sipagent.flows.schema import Flow, StepConfig


def leads_to_deed(flow: Flow, one: StepConfig) -> bool:
    """What follows has an effect (a tool, an outcome, a transfer, the end) before anything is asked."""
    passed: set[str] = set()
    name, has_effect = one.go, bool(one.outcome)
    while name and not has_effect and name not in passed and not flow.states[name].is_listening:
        state = flow.states[name]
        passed.add(name)
        acts = state.transfer or state.end or (state.tool and not flow.tools[state.tool].safe)
        name, has_effect = state.next, bool(acts or state.outcome)
    return has_effect
