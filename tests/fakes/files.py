"""Small configuration and flow files for the tests."""

from pathlib import Path


def sip_yaml(folder: Path, *persona: str, top: str = "") -> Path:
    """A configuration whose persona ``desk`` has these lines more, from line 8 on."""
    (folder / "p.md").write_text("Be kind.")
    path = folder / "sip.yaml"
    lines = ["greeting: Hello.", "prompt_file: p.md", "voice: hibari", *persona]
    path.write_text(
        "trunks: [{name: lab, domain: 127.0.0.1, allow_from: [127.0.0.0/8]}]\n"
        "numbers: [{match: '*', persona: desk}]\n"
        "personas:\n  desk:\n" + "".join(f"    {line}\n" for line in lines) + f"{top}\n"
    )
    return path


def flow_with_tool(path: Path, tool: str) -> Path:
    """A flow that does nothing but call a tool (line 6)."""
    path.write_text(
        "name: x\nstart: a\noperator: a\ngoodbye: b\n"
        f"tools:\n  {tool}: {{}}\n"
        "states:\n"
        f"  a: {{tool: {tool}, on: {{ok: {{go: b}}, failed: {{go: b}}}}}}\n"
        "  b: {say: Bye., end: true}\n"
    )
    return path
