"""``sipagent flow``: what is typed, and what goes wrong with files in one line."""

from pathlib import Path

import pytest

from sipagent.cli.main import EXIT_CONFIG, EXIT_DONE, EXIT_FAILED, main

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
RECEPTIONIST = str(ROOT / "flows" / "receptionist.yaml")
REMINDER = str(ROOT / "flows" / "reminder.yaml")


def chat(capsys: pytest.CaptureFixture[str], script: Path, *words: str) -> tuple[int, str, str]:
    status = main(["flow", "chat", *words, "--no-model", "--script", str(script)])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_number_that_is_keyed_in_ends_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "lines.txt"
    script.write_text("I'd like to book\nnext Tuesday at ten\nSarah Miller\n#0\n")
    status, told, _ = chat(capsys, script, RECEPTIONIST)
    assert status == EXIT_DONE
    assert told.rstrip().endswith("[transfer to desk]")
    script.write_text("I'd like to book\nnext Tuesday at ten\nSarah Miller\n#5550123\n")
    assert "zero one two three" in chat(capsys, script, RECEPTIONIST)[1]


def config_with(folder: Path, variables: str) -> str:
    """The example with variables for the persona that reminds."""
    text = (ROOT / "sip-flows.yaml").read_text().replace("flows/reminder.yaml", REMINDER)
    text = text.replace("prompts/", f"{ROOT}/prompts/").replace(": knowledge", f": {ROOT}/knowledge")
    text = text.replace("  reminder:\n", f"  reminder:\n    variables: {variables}\n")
    (folder / "sip.yaml").write_text(text)
    return str(folder / "sip.yaml")


def test_variables_of_the_persona_are_spoken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "lines.txt"
    script.write_text("yes\n")
    assert (
        "Am I speaking with Ann Lee?"
        in chat(capsys, script, REMINDER, "-c", config_with(tmp_path, "{patient: Ann Lee}"))[1]
    )
    assert "Am I speaking with Sarah Miller?" in chat(capsys, script, REMINDER)[1]


def test_zone_of_a_persona_that_does_not_exist_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flow", "check", REMINDER, "-c", config_with(tmp_path, "{time_zone: Mars}")]) == EXIT_CONFIG
    assert "personas.reminder.variables.time_zone: no time zone 'Mars'" in capsys.readouterr().err


def test_script_that_cannot_be_read_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    binary = tmp_path / "lines.bin"
    binary.write_bytes(b"\xff\xfe\x00")
    for script, why in (
        (tmp_path / "none.txt", "cannot be read"),
        (binary, "not UTF-8"),
        (tmp_path, "cannot"),
    ):
        status, _, told = chat(capsys, script, RECEPTIONIST)
        assert status == EXIT_FAILED
        assert why in told
        assert told.count("\n") == 1


def test_picture_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flow", "graph", RECEPTIONIST, "-o", str(tmp_path / "none" / "x.svg")]) == EXIT_FAILED
    told = capsys.readouterr().err
    assert "x.svg: cannot be written: No such file" in told
    assert told.count("\n") == 1
