"""Tools for real: Python functions, programs and HTTP servers, among them every kind that misbehaves."""

import json
import os
import sqlite3
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import structlog

from sipagent.call.tool_port import CallContext, ToolAnswer, ToolCall
from sipagent.call.work import Lane
from sipagent.cli.check_tools import tool_findings
from sipagent.config.json_schema import JsonSchema
from sipagent.config.load import load_config
from sipagent.config.schema import Config, HttpConfig, MessagesConfig, PersonaConfig, Secret, ToolConfig
from sipagent.tools.messages import MessageBox
from sipagent.tools.toolbox import Toolbox

pytestmark = pytest.mark.peer

ROOT = Path(__file__).resolve().parents[2]
CONTEXT = CallContext("call1", "+15550100123", "100", "desk")
LONG_S = 30.0


class Bench:
    """A toolbox in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lane = Lane("tool", 4, structlog.get_logger())
        self.lane.start()

    def run_all(
        self, calls: list[ToolCall], config: Config, *, allowed: tuple[str, ...] = ()
    ) -> list[ToolAnswer]:
        toolbox = Toolbox(config, self.lane, structlog.get_logger(), threads=4)
        names = allowed or tuple(config.tools)
        persona = PersonaConfig(name="desk", greeting="Hello.", prompt_file=Path("p.md"), tools=names)
        answers: list[ToolAnswer] = []
        for call in calls:
            toolbox.of(persona).submit(call, answers.append)
        deadline = time.monotonic() + LONG_S
        while len(answers) < len(calls) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(answers) == len(calls)
        return answers

    def config(self, **tool: Any) -> Config:
        own = ToolConfig(name="it", description="Tried.", **tool)
        messages = MessagesConfig(dir=self.folder / "messages")
        return Config(tools={"it": own}, tools_dir=self.folder, messages=messages)

    def run(self, given: dict[str, str] | None = None, /, **tool: Any) -> ToolAnswer:
        return self.run_all([ToolCall("it", given or {}, "t1", CONTEXT)], self.config(**tool))[0]

    def script(self, text: str) -> tuple[str, ...]:
        """A command of these lines of Python."""
        return (sys.executable, "-c", textwrap.dedent(text))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.lane.close()


def test_command_gets_json_and_its_json_comes_back(bench: Bench) -> None:
    (bench.folder / "here").touch()
    answer = bench.run(
        {"count": "3", "name": "Ann"},
        command=bench.script(
            """
            import json, os, sys
            given = json.load(sys.stdin)
            assert given["call"]["caller"] == "+15550100123" and os.path.exists("here")
            twice = given["arguments"]["count"] * 2
            print(json.dumps({"status": "taken", "twice": twice, "free": [1, "two"]}))
            """
        ),
        arguments=JsonSchema({"type": "object", "properties": {"count": {"type": "integer"}}}),
    )
    assert (answer.status, dict(answer.variables)) == ("taken", {"twice": "6", "free": "1, two"})
    assert answer.result == {"status": "taken", "twice": 6, "free": [1, "two"]}


def test_python_function_runs_in_a_process_of_its_own_and_its_prints_do_no_harm(bench: Bench) -> None:
    (bench.folder / "my").mkdir()
    (bench.folder / "my" / "tools.py").write_text(
        "import os\n"
        "def it(arguments, call):\n"
        "    print('debugging')\n"
        "    return {'pid': os.getpid(), 'who': call['caller'], 'day': arguments['day']}\n"
    )
    answer = bench.run({"day": "Friday"}, python="my.tools:it")
    assert answer.status == "ok", answer.result
    assert answer.variables["day"] == "Friday"
    assert answer.variables["who"] == CONTEXT.caller
    assert answer.variables["pid"] != str(os.getpid())


def test_tool_inherits_no_secret(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFICE_SIP_PASSWORD", "hush")
    answer = bench.run(command=bench.script("import json, os; print(json.dumps(dict(os.environ)))"))
    assert "PATH" in answer.variables
    assert "OFFICE_SIP_PASSWORD" not in answer.variables


MISBEHAVIOUR = {
    "hangs": ("import time; time.sleep(60)", "took too long"),
    "hangs without end and does not listen": (
        "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)",
        "took too long",
    ),
    "writes garbage": ("import sys; sys.stdout.buffer.write(bytes(range(256)))", "returned no JSON"),
    "writes words": ("print('booked!')", "returned no JSON"),
    "writes nothing": ("", "returned no JSON (0 bytes)"),
    "writes a list": ("print('[1, 2]')", "returned list instead of a JSON object"),
    "writes NaN": ("print('{\"a\": NaN}')", "returned no JSON"),
    "writes half a character": ('print(\'{"a": "\\\\ud800"}\')', "returned no JSON"),
    "writes without end": ("while True: print('x' * 1000)", "wrote more than 65536 bytes"),
    "fails": ("import sys; sys.exit('no such calendar')", "ended with status 1: no such calendar"),
    "crashes": ("import os; os.kill(os.getpid(), 11)", "was ended by SIGSEGV"),
    "breaks the schema": (
        "print('{\"status\": 7}')",
        'its result is not right: status breaks the rule type: "string"',
    ),
    "lacks what the schema wants": (
        "print('{}')",
        "its result is not right: the object breaks",
    ),
}
RESULT = JsonSchema({"type": "object", "properties": {"status": {"type": "string"}}, "required": ["status"]})


@pytest.mark.parametrize("kind", MISBEHAVIOUR)
def test_command_that_misbehaves_becomes_a_sentence(bench: Bench, kind: str) -> None:
    text, reason = MISBEHAVIOUR[kind]
    timeout_ms = 700 if "hangs" in kind else 10_000
    answer = bench.run(
        command=bench.script(text), result=RESULT, timeout_ms=timeout_ms, on_failure="No luck."
    )
    assert (answer.status, answer.apology, dict(answer.variables)) == ("failed", "No luck.", {})
    assert str(answer.result).startswith(reason)
    assert answer.took_ms < 20_000


def test_python_tool_that_raises_and_program_that_is_not_there(bench: Bench) -> None:
    (bench.folder / "broken.py").write_text("def it(arguments, call):\n    raise KeyError('calendar')\n")
    assert bench.run(python="broken:it").result == "ended with status 1: KeyError: 'calendar'"
    assert "ModuleNotFoundError" in str(bench.run(python="nowhere:it").result)
    assert "cannot be started: No such file" in str(bench.run(command=("/nowhere/tool",)).result)


def test_everything_that_a_tool_has_started_is_killed_with_it(bench: Bench) -> None:
    pid_file = bench.folder / "pid"
    answer = bench.run(command=("/bin/sh", "-c", f"sleep 60 & echo $! > {pid_file}; wait"), timeout_ms=1000)
    assert answer.result == "took too long"
    assert is_gone(int(pid_file.read_text()))


def test_what_a_tool_leaves_running_is_not_waited_for(bench: Bench) -> None:
    pid_file = bench.folder / "pid"
    answer = bench.run(
        command=("/bin/sh", "-c", f"sleep 60 & echo $! > {pid_file}; echo '{{}}'"), timeout_ms=9000
    )
    assert answer.status == "ok"
    assert answer.took_ms < 8000
    assert is_gone(int(pid_file.read_text()))


def is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_input_that_nobody_reads_does_not_block(bench: Bench) -> None:
    arguments = {f"a{n}": "x" * 2000 for n in range(200)}
    assert bench.run(arguments, command=bench.script("print('{}')")).status == "ok"


def test_only_what_is_idempotent_is_tried_again(bench: Bench) -> None:
    counting = """
        import sys
        with open("count", "a") as file: file.write("x")
        if len(open("count").read()) < 3: sys.exit(1)
        print("{}")
        """
    answer = bench.run(command=bench.script(counting), idempotent=True, retries=2, timeout_ms=9000)
    assert (answer.status, (bench.folder / "count").read_text()) == ("ok", "xxx")
    (bench.folder / "count").unlink()
    assert bench.run(command=bench.script(counting)).status == "failed"
    assert (bench.folder / "count").read_text() == "x"


def test_persona_uses_nothing_beyond_its_list(bench: Bench) -> None:
    config = bench.config(command=bench.script("print('{}')"))
    call = ToolCall("it", {}, "t1", CONTEXT)
    refused = bench.run_all([call], config, allowed=("another",))[0]
    assert refused.status == "failed"
    assert refused.result == "persona desk may not use it; add it to personas.desk.tools"
    unknown = bench.run_all([ToolCall("rm", {}, "t1", CONTEXT)], config, allowed=("rm",))[0]
    assert "is not installed" in str(unknown.result)


def test_wrong_arguments_never_reach_the_tool(bench: Bench) -> None:
    schema = JsonSchema({"type": "object", "properties": {"day": {"type": "string", "pattern": "^2"}}})
    answer = bench.run({"day": "; rm -rf /"}, command=bench.script("open('ran', 'w')"), arguments=schema)
    assert answer.result == 'its arguments are not right: day breaks the rule pattern: "^2"'
    assert not (bench.folder / "ran").exists()


def test_more_than_can_wait_is_refused_at_once(bench: Bench) -> None:
    config = bench.config(command=("sleep", "1"), timeout_ms=1500)
    calls = [ToolCall("it", {}, f"t{n}", CONTEXT) for n in range(12)]
    answers = bench.run_all(calls, config)
    assert sum(answer.result == "too many tools are at work" for answer in answers) == 4


# --- HTTP ---


class Server(ThreadingHTTPServer):
    """Answers as it is told, and notes what came."""

    daemon_threads = True

    def __init__(self, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer = answer
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Server)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        self.server.answer(self)

    do_GET = do_POST

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Server]:
    server = Server(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def replying(status: int, body: bytes, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, text in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, text)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_http_tool_posts_json_with_its_token(bench: Bench) -> None:
    with serving(replying(200, b'{"status": "ok", "free": "ten"}')) as server:
        http = HttpConfig(
            url=f"{server.url}/book?practice=1", headers={"X-Practice": "maple"}, token=Secret("hush")
        )
        answer = bench.run({"day": "Friday"}, http=http)
    assert dict(answer.variables) == {"free": "ten"}
    method, path, sent, body = server.seen[0]
    assert (method, path) == ("POST", "/book?practice=1")
    assert (sent["Authorization"], sent["X-Practice"]) == ("Bearer hush", "maple")
    given = json.loads(body)
    assert given == {"arguments": {"day": "Friday"}, "call": {"call_id": "call1", "tool_call_id": "t1"}}


def test_http_get_puts_its_arguments_into_the_query(bench: Bench) -> None:
    with serving(replying(200, b"{}")) as server:
        bench.run({"who": "Ann & Joe"}, http=HttpConfig(url=f"{server.url}/find", method="GET"))
    assert server.seen[0][:2] == ("GET", "/find?who=Ann+%26+Joe")
    assert server.seen[0][3] == b""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (replying(500, b"{}"), "HTTP 500"),
        (replying(404, b"{}"), "HTTP 404"),
        (replying(302, b"", Location="http://203.0.113.9/elsewhere"), "HTTP 302: redirects are not followed"),
        (replying(200, b"<html>"), "returned no JSON"),
        (replying(200, b"{" + b" " * 70_000), "answered more than 65536 bytes"),
        (replying(200, b"{}", **{"Content-Length": "99"}), "took too long"),
        (lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n"), "127.0.0.1: no proper HTTP answer"),
        (lambda handler: handler.connection.close(), "127.0.0.1: "),
    ],
    ids=["500", "404", "redirect", "HTML", "huge", "cut short", "not HTTP", "closed"],
)
def test_http_answer_that_is_none_becomes_a_sentence(
    bench: Bench, answer: Callable[[BaseHTTPRequestHandler], None], reason: str
) -> None:
    def held(handler: BaseHTTPRequestHandler) -> None:
        answer(handler)
        if reason == "took too long":
            time.sleep(1.5)

    with serving(held) as server:
        found = bench.run(http=HttpConfig(url=server.url), timeout_ms=1000)
    assert (found.status, found.apology) == ("failed", "I'm sorry, that isn't possible right now.")
    assert str(found.result).startswith(reason)


def test_http_server_that_drips_is_cut_off(bench: Bench) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        try:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            for n in range(100):
                handler.wfile.write(f"X-{n}: y\r\n".encode())
                time.sleep(0.05)
        except OSError:
            pass

    with serving(drip) as server:
        found = bench.run(http=HttpConfig(url=server.url), timeout_ms=600)
    assert found.result == "took too long"
    assert found.took_ms < 4000


def test_http_server_that_is_not_there(bench: Bench) -> None:
    found = bench.run(http=HttpConfig(url="http://127.0.0.1:9/"))
    assert found.result == "127.0.0.1: Connection refused"


# --- what comes with the program ---


def test_message_is_on_the_disk_before_the_caller_is_thanked_and_is_delivered(bench: Bench) -> None:
    text = "cat >> delivered; test ! -e refuse || { touch refused; exit 1; }"
    messages = MessagesConfig(dir=bench.folder / "messages", command=("/bin/sh", "-c", text))
    config = replace(bench.config(command=("true",)), messages=messages)
    box = MessageBox(config.messages, bench.folder)
    (bench.folder / "refuse").touch()
    call = ToolCall("take_message", {"message": "Call me", "name": "Ann"}, "t1", CONTEXT)
    answer = bench.run_all([call], config, allowed=("take_message",))[0]
    assert answer.status == "ok"
    waiting = wait_until(lambda: (bench.folder / "refused").exists() and box.waiting())
    assert [message.facts["message"] for message in waiting] == ["Call me"], "what is refused stays"
    assert waiting[0].facts["caller"] == CONTEXT.caller
    assert waiting[0].path.stat().st_mode & 0o077 == 0
    (bench.folder / "refuse").unlink()
    (bench.folder / "delivered").unlink()
    again = replace(call, tool_call_id="t2")
    bench.run_all([again], config, allowed=("take_message",))
    wait_until(lambda: not box.waiting())
    delivered = [
        json.loads(line)["message"] for line in (bench.folder / "delivered").read_text().splitlines()
    ]
    assert delivered == ["Call me", "Call me"]


def wait_until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + LONG_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("it never came true")


def test_message_that_cannot_be_kept_is_no_success(bench: Bench) -> None:
    (bench.folder / "messages").touch()
    config = bench.config(command=("true",))
    call = ToolCall("take_message", {"message": "Call me"}, "t1", CONTEXT)
    answer = bench.run_all([call], config, allowed=("take_message",))[0]
    assert (answer.status, answer.apology) == ("failed", "I'm sorry, I couldn't note that.")


def test_what_comes_with_the_program_is_allowed_and_checked_like_any_tool(bench: Bench) -> None:
    config = bench.config(command=("true",))

    def run(tool: str, **arguments: str) -> ToolAnswer:
        return bench.run_all([ToolCall(tool, arguments, "t1", CONTEXT)], config, allowed=(tool,))[0]

    assert run("send_dtmf", digits="12#").variables["digits"] == "12#"
    assert "breaks the rule pattern" in str(run("send_dtmf", digits="12; BYE").result)
    assert "keeps no memory" in str(run("remember", pet="a cat").result)
    assert "a flow has states for it" in str(run("transfer").result)


# --- the example ---


def booking(tmp_path: Path) -> Config:
    config = load_config(ROOT / "sip-flows.yaml")
    module = tmp_path / "flows"
    module.mkdir()
    (module / "booking.py").write_text((ROOT / "flows" / "booking.py").read_text())
    slow = {name: replace(tool, timeout_ms=20_000) for name, tool in config.tools.items()}
    return replace(config, tools_dir=tmp_path, tools=slow)


def test_eight_callers_want_one_appointment_and_one_has_it(bench: Bench) -> None:
    config = booking(bench.folder)
    calls = [
        ToolCall(
            "book_slot",
            {"day": "2026-03-03", "time": "10:30", "name": f"Caller {n}", "phone": f"555010{n}"},
            "t1",
            CallContext(f"call{n}"),
        )
        for n in range(8)
    ]
    answers = bench.run_all(calls, config)
    assert sorted(answer.status for answer in answers) == ["ok", *["taken"] * 7], answers
    free = {answer.variables["free"] for answer in answers if answer.status == "taken"}
    assert free == {"I have 08:00 or 08:30 that day."}
    with sqlite3.connect(bench.folder / "bookings.sqlite") as database:
        rows = database.execute("SELECT slot, name, run FROM booking").fetchall()
    assert len(rows) == 1
    assert rows[0][0] == "2026-03-03T10:30:00"
    again = bench.run_all([calls[int(rows[0][1][-1])]], config)[0]
    assert again.status == "ok", "what is asked for twice is booked once"


def test_calendar_knows_hours_moves_and_cancellations(bench: Bench) -> None:
    config = booking(bench.folder)

    def run(tool: str, n: int, **arguments: str) -> ToolAnswer:
        return bench.run_all([ToolCall(tool, arguments, f"t{n}", CONTEXT)], config)[0]

    who = {"patient": "Ann", "patient_phone": "5550100"}
    assert run("book_slot", 1, day="2026-03-07", time="10:00", name="Ann", phone="5550100").status == "closed"
    assert run("book_slot", 2, day="2026-03-03", time="10:00", name="Ann", phone="5550100").status == "ok"
    assert run("move_slot", 3, day="2026-03-04", time="18:00", **who).status == "closed"
    assert run("move_slot", 4, day="2026-03-04", time="09:00", **who).status == "ok"
    with sqlite3.connect(bench.folder / "bookings.sqlite") as database:
        assert database.execute("SELECT slot FROM booking").fetchall() == [("2026-03-04T09:00:00",)]
    assert run("cancel_slot", 5, **who).status == "ok"
    assert run("keep_answers", 6, grade="8", wish="").status == "ok"
    with sqlite3.connect(bench.folder / "bookings.sqlite") as database:
        assert database.execute("SELECT count(*) FROM booking").fetchone() == (0,)
        assert database.execute("SELECT grade, wish FROM answer").fetchall() == [("8", "")]


def test_check_names_tools_that_cannot_work_here(bench: Bench) -> None:
    (bench.folder / "mine.py").write_text("def it(arguments, call):\n    return {}\n")
    kinds: dict[str, dict[str, Any]] = {
        "good": {"python": "mine:it"},
        "typo": {"python": "mine:if"},
        "gone": {"command": ("./gone",)},
        "here": {"command": ("true",)},
    }
    tools = {name: ToolConfig(name=name, description="x", **kind) for name, kind in kinds.items()}
    config = replace(bench.config(command=("true",)), tools=tools)
    found = {one.key: one.text for one in tool_findings(config, is_thorough=True)}
    assert set(found) == {"tools.typo.python", "tools.gone.command"}
    assert "has no attribute 'if'" in found["tools.typo.python"]
