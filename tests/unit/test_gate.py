"""Who passes the gate, what is answered, who is banned and for how long."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from sipagent.config.fields import Secret
from sipagent.config.schema import BanConfig, CallerConfig, Config, SecurityConfig, TrunkConfig
from sipagent.sip.digest import authorization
from sipagent.sip.gate import NEW_CALLS_PER_S, STRANGER_RULE, Action, Gate, Packet, Verdict
from sipagent.sip.gate_bans import Bans, Rates
from sipagent.sip.wire_message import SipMessage

pytestmark = pytest.mark.unit

TRUNK, STRANGER = "192.0.2.10", "203.0.113.66"
SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


class Notes:
    """What the gate has told."""

    def __init__(self) -> None:
        self.refusals: list[tuple[str, int, str]] = []
        self.bans: list[tuple[str, int]] = []
        self.releases: list[str] = []

    def message_refused(self, packet: Packet, message: SipMessage | None, status: int, rule: str) -> None:
        self.refusals.append((packet.method, status, rule))

    def banned(self, source: str, *, rule: str, failures: int, ban_s: int) -> None:
        self.bans.append((source, ban_s))

    def released(self, source: str) -> None:
        self.releases.append(source)


def config(**security: object) -> Config:
    trunk = TrunkConfig(name="office", domain=TRUNK, allow_from=(IPv4Network(f"{TRUNK}/32"),))
    return Config(trunks=(trunk,), security=replace(SecurityConfig(), **security))  # type: ignore[arg-type]


def request(method: str = "INVITE", *extra: str, call_id: str = "a", body: str = "", **fields: str) -> bytes:
    """A request; ``fields`` replace header fields, ``_`` stands for ``-``; an empty one is left out."""
    values = {
        "Via": "SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK1",
        "From": "<sip:caller@192.0.2.10>;tag=1",
        "To": "<sip:100@198.51.100.1>",
        "Call-ID": call_id,
        "CSeq": f"1 {method}",
        "Contact": "<sip:caller@192.0.2.10:5060>",
        "Max-Forwards": "70",
    } | {name.replace("_", "-"): value for name, value in fields.items()}
    if body:
        values["Content-Type"] = "application/sdp"
    lines = [f"{name}: {value}" for name, value in values.items() if value] + list(extra)
    head = [f"{method} sip:100@198.51.100.1 SIP/2.0", *lines, f"Content-Length: {len(body)}"]
    return ("\r\n".join(head) + "\r\n\r\n" + body).encode()


def packet(data: bytes, host: str = TRUNK, *, is_request: bool = True) -> Packet:
    return Packet(data, host, 5060, is_request)


def judged(data: bytes, host: str = TRUNK, *, is_request: bool = True, **security: object) -> Verdict:
    return Gate(config(**security), Notes()).judge(packet(data, host, is_request=is_request), 0)


def test_trunk_passes() -> None:
    assert judged(request(body=SDP)).action is Action.PASS
    assert judged(request("OPTIONS", Contact="")).action is Action.PASS
    assert judged(request("BYE", To="<sip:100@h>;tag=2")).action is Action.PASS


@pytest.mark.parametrize(
    "extra",
    [
        "Record-Route: <sip:192.0.2.1;lr>, <sip:192.0.2.2;lr=on;ftag=x>",
        "Route: <sip:198.51.100.1;lr>",
        'P-Asserted-Identity: "Jo, \\"x\\"" <sip:+15550100@example.com;user=phone>, <tel:+15550100>',
        "Diversion: <sip:+15550100@example.com>;reason=unconditional",
        "Supported: 100rel, timer",
        "Session-Expires: 1800;refresher=uac",
        "m: <sip:x@pbx.example.com;transport=tcp>",
    ],
)
def test_what_real_peers_send_passes(extra: str) -> None:
    contact = "" if extra.startswith("m:") else "<sip:caller@192.0.2.10:5060>"
    assert judged(request("INVITE", extra, Contact=contact, body=SDP)).action is Action.PASS


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("REGISTER"), 405),
        (request("REFER"), 405),
        (request("FROBNICATE"), 501),
        (request(Contact="<sip:x@[]>"), 400),
        (request(Contact="<sip:x@999.1.1.1>"), 400),
        (request(Contact="*"), 400),
        (request(Contact=""), 400),
        (request("INVITE", "Replaces: a;to-tag=b;from-tag=c"), 403),
        (request("INVITE", "Require: teleportation"), 420),
        (request(body=SDP.replace("c=IN IP4 192.0.2.10\r\n", "")), 488),
        (request(body=SDP.replace("192.0.2.10\r\nt", "a" * 254 + "\r\nt")), 488),
        (request(body=SDP.replace("audio 4000", "audio 70000")), 488),
        (request(body=SDP).replace(b"application/sdp", b"text/html"), 415),
        (request("INVITE", *[f"X-Long: {'a' * 1000}"] * 4), 513),
    ],
)
def test_crafted_requests_of_a_trunk_are_answered(data: bytes, status: int) -> None:
    verdict = judged(data)
    assert (verdict.action, verdict.status) == (Action.ANSWER, status)


@pytest.mark.parametrize(
    "data",
    [
        request(From="<sip:x@[]>;tag=1"),
        request(To="<sip:@>"),
        request(Via="SIP/2.0/UDP [];branch=z9hG4bK1"),
        request("INVITE", "Record-Route: <tel:+1>"),
        request("INVITE", "Record-Route: <sip:192.0.2.1>"),
        request("INVITE", "Call-ID: b"),
        request(CSeq="4294967296 INVITE"),
        request("INVITE", "X-Evil: \0"),
        b"INVITE\r\n\r\n",
        b"",
    ],
)
def test_what_an_answer_would_repeat_gets_none(data: bytes) -> None:
    assert judged(data).action is Action.DROP


def test_405_tells_what_is_allowed() -> None:
    assert "INVITE" in dict(judged(request("REGISTER")).headers)["Allow"]


def test_response_passes_where_it_is_well_formed() -> None:
    good = request(body=SDP).replace(b"INVITE sip:100@198.51.100.1 SIP/2.0", b"SIP/2.0 200 OK")
    assert judged(good, STRANGER, is_request=False).action is Action.PASS, (
        "our peers may answer from anywhere"
    )
    bad = good.replace(b"sip:caller@192.0.2.10:5060", b"sip:x@[]")
    assert judged(bad, TRUNK, is_request=False).action is Action.DROP


def test_stranger_is_refused_or_dropped() -> None:
    assert judged(request(), STRANGER).status == 403
    assert judged(request("OPTIONS"), STRANGER).status == 403
    assert judged(request(), STRANGER, strangers="drop").action is Action.DROP
    assert judged(request("ACK"), STRANGER).action is Action.DROP
    assert judged(request(Contact="*"), STRANGER).action is Action.DROP, "malformed: no answer"


def test_refusal_is_told_with_its_rule() -> None:
    notes = Notes()
    Gate(config(), notes).judge(packet(request(), STRANGER), 0)
    assert notes.refusals == [("INVITE", 403, STRANGER_RULE)]


def test_stranger_who_goes_on_is_banned_and_released() -> None:
    notes = Notes()
    gate = Gate(config(ban=BanConfig(failures=3, window_s=10, first_s=60)), notes)
    outcomes = [gate.judge(packet(request(), STRANGER), 1000 * second).action for second in range(5)]
    assert outcomes == [Action.ANSWER] * 3 + [Action.DROP] * 2
    assert notes.bans == [(STRANGER, 60)]
    gate.tick(2000 + 59_999)
    assert notes.releases == []
    gate.tick(2000 + 60_999)
    assert notes.releases == [STRANGER]
    assert gate.judge(packet(request(), STRANGER), 70_000).status == 403


def test_trunk_is_never_banned() -> None:
    notes = Notes()
    gate = Gate(config(ban=BanConfig(failures=1)), notes)
    for _ in range(50):
        gate.judge(packet(request("REGISTER")), 0)
    assert notes.bans == []
    assert gate.judge(packet(request("OPTIONS")), 0).action is Action.PASS


def test_one_source_and_all_together_are_limited() -> None:
    gate = Gate(config(requests_per_s=5, total_requests_per_s=20), Notes())
    options = request("OPTIONS")
    assert [gate.judge(packet(options), 0).action for _ in range(11)].count(Action.PASS) == 10, (
        "twice at once"
    )
    assert gate.judge(packet(options), 1000).action is Action.PASS
    answered = [gate.judge(packet(options, f"198.51.100.{number}"), 1000).status for number in range(100)]
    assert answered == [403] * 40 + [0] * 60, "of all strangers together"
    assert gate.judge(packet(options), 1000).action is Action.PASS, (
        "a flood of theirs does not silence a trunk"
    )


def test_new_calls_beyond_the_rate_get_503_and_retry_after() -> None:
    gate = Gate(config(requests_per_s=5000, total_requests_per_s=5000), Notes())
    verdicts = [
        gate.judge(packet(request(call_id=str(n), body=SDP)), 0) for n in range(2 * NEW_CALLS_PER_S + 1)
    ]
    assert [v.action for v in verdicts[:-1]] == [Action.PASS] * 2 * NEW_CALLS_PER_S
    assert (verdicts[-1].status, dict(verdicts[-1].headers)) == (503, {"Retry-After": "10"})
    assert gate.judge(packet(request(To="<sip:a@h>;tag=2", body=SDP)), 0).action is Action.PASS, "a re-INVITE"


# --- passwords ---


def with_caller(password: str = "hunter2", digest: str = "both") -> tuple[Gate, Notes]:
    caller = CallerConfig(username="jo", password_env="X", trunk="office", password=Secret(password))
    notes = Notes()
    return Gate(config(callers=(caller,), ban=BanConfig(failures=4), digest=digest), notes), notes


def answered(
    gate: Gate, challenge: str, *, username: str = "jo", password: str = "hunter2", at_ms: int = 10
) -> Verdict:
    uri = "sip:100@198.51.100.1"
    value = authorization(
        challenge, method="INVITE", uri=uri, username=username, password=password, cnonce="c"
    )
    return gate.judge(packet(request("INVITE", f"Authorization: {value}", body=SDP), STRANGER), at_ms)


def challenges(gate: Gate, at_ms: int = 0) -> list[str]:
    verdict = gate.judge(packet(request(body=SDP), STRANGER), at_ms)
    assert verdict.status == 401
    return [value for name, value in verdict.headers if name == "WWW-Authenticate"]


@pytest.mark.parametrize("number", [0, 1])
def test_right_password_lets_this_call_in_and_no_other(number: int) -> None:
    gate, _ = with_caller()
    assert answered(gate, challenges(gate)[number]).action is Action.PASS
    trunk = gate.trunk_of(STRANGER, "a")
    assert trunk is not None
    assert trunk.name == "office"
    assert gate.judge(packet(request("BYE", To="<sip:a@h>;tag=2"), STRANGER), 20).action is Action.PASS
    assert gate.trunk_of(STRANGER, "b") is None
    assert gate.trunk_of("203.0.113.67", "a") is None
    assert gate.judge(packet(request("BYE", To="<sip:a@h>;tag=2", call_id="b"), STRANGER), 20).status == 403


def test_wrong_password_and_unknown_name_get_the_same_answer() -> None:
    for username, password in (("jo", "wrong"), ("eve", "hunter2"), ("eve", "")):
        gate, notes = with_caller()
        assert answered(gate, challenges(gate)[0], username=username, password=password).status == 401
        assert notes.refusals[-1][2] == "security.callers: wrong credentials"


def test_algorithm_that_is_not_offered_is_not_taken() -> None:
    gate, _ = with_caller(digest="sha-256")
    (challenge,) = challenges(gate)
    assert answered(gate, challenge.replace("SHA-256", "MD5")).status == 401
    assert answered(gate, challenge).action is Action.PASS
    assert len(challenges(with_caller(digest="md5")[0])) == 1


def test_nonce_is_good_once_for_a_minute_and_one_address() -> None:
    gate, _ = with_caller()
    challenge = challenges(gate)[0]
    assert answered(gate, challenge, at_ms=60_001).headers[0][1].endswith("stale=true")
    gate, _ = with_caller()
    challenge = challenges(gate)[0]
    uri = "sip:100@198.51.100.1"
    value = authorization(challenge, method="INVITE", uri=uri, username="jo", password="hunter2", cnonce="c")
    again = request("INVITE", f"Authorization: {value}", call_id="second", body=SDP)
    assert answered(gate, challenge).action is Action.PASS
    assert gate.judge(packet(again, STRANGER), 20).status == 401, "a replay"
    assert gate.judge(packet(again, "203.0.113.67"), 20).status == 401, "stolen"


def test_guessing_leads_to_a_ban_and_success_clears_the_account() -> None:
    gate, notes = with_caller()
    for _ in range(2):
        answered(gate, challenges(gate)[0], password="guess")
    assert notes.bans == [(STRANGER, 600)]
    gate, notes = with_caller()
    for number in range(8):
        data = request(call_id=f"c{number}", body=SDP)
        verdict = gate.judge(packet(data, STRANGER), number)
        value = authorization(
            verdict.headers[0][1], method="INVITE", uri="sip:100@198.51.100.1", username="jo",
            password="hunter2", cnonce="c",
        )  # fmt: skip
        data = request("INVITE", f"Authorization: {value}", call_id=f"c{number}", body=SDP)
        assert gate.judge(packet(data, STRANGER), number).action is Action.PASS
    assert notes.bans == []


def test_caller_without_password_in_the_environment_gets_nobody_in() -> None:
    caller = CallerConfig(username="jo", password_env="X", trunk="office", password=None)
    gate = Gate(config(callers=(caller,)), Notes())
    assert gate.judge(packet(request(), STRANGER), 0).status == 403


# --- bans and rates by themselves ---


def test_bans_grow_up_to_the_longest() -> None:
    notes = Notes()
    bans = Bans(BanConfig(failures=1, first_s=100, longest_s=350), notes)
    now_ms = 0
    for _ in range(4):
        bans.strike("a", "rule", now_ms)
        now_ms += 400_000
        bans.tick(now_ms)
    assert [ban_s for _, ban_s in notes.bans] == [100, 200, 350, 350]
    assert notes.releases == ["a"] * 4


def test_failures_outside_the_window_do_not_count() -> None:
    notes = Notes()
    bans = Bans(BanConfig(failures=3, window_s=10), notes)
    for second in (0, 6, 12, 18, 24):
        bans.strike("a", "rule", second * 1000)
    assert notes.bans == []


def test_tables_stay_finite() -> None:
    notes = Notes()
    bans, rates = Bans(BanConfig(failures=1), notes), Rates(1)
    for number in range(20_000):
        bans.strike(str(number), "rule", 0)
        rates.take(str(number), 0)
    assert len(bans._offenders) == len(rates._buckets) == 8192
    assert len(notes.releases) == 20_000 - 8192, "who falls out of the table is released"
    assert "19999" in bans
    assert "0" not in bans


def test_bans_can_be_switched_off() -> None:
    notes = Notes()
    bans = Bans(BanConfig(enabled=False, failures=1), notes)
    bans.strike("a", "rule", 0)
    assert notes.bans == []
