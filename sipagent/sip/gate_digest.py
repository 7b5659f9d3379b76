"""Asks callers from foreign addresses for a password (RFC 3261 s22, RFC 8760). Pure: time is passed in."""

import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from sipagent.sip.digest import Request, fields_of
from sipagent.sip.wire_message import SipMessage

NONCE_LIFE_MS = 60_000
_MOST_NONCES = 4096


@dataclass(frozen=True, slots=True)
class Account:
    """A caller's password, and the trunk that its calls count as."""

    password: str
    trunk: str


class Outcome(Enum):
    """What the credentials of a request are worth."""

    NONE = "no credentials"
    STALE = "the nonce is too old or was used"
    WRONG = "wrong credentials"
    RIGHT = "right credentials"


class Challenger:
    """Makes nonces that carry their age and the address they are for: none is stored before its use."""

    def __init__(self, accounts: Mapping[str, Account], realm: str, algorithms: Sequence[str]) -> None:
        """:param accounts: by username. :param algorithms: of ``digest.HASHES``, the preferred one first."""
        self._accounts = accounts
        self._realm = realm
        self._algorithms = algorithms
        self._key = secrets.token_bytes(32)
        self._decoy = secrets.token_hex(16)
        self._last_nc: OrderedDict[str, int] = OrderedDict()

    def __repr__(self) -> str:
        return f"Challenger({len(self._accounts)} accounts, nonces_used={len(self._last_nc)})"

    def __bool__(self) -> bool:
        return bool(self._accounts)

    def challenge(self, source: str, now_ms: int, *, is_stale: bool = False) -> list[tuple[str, str]]:
        """The WWW-Authenticate fields of a 401."""
        nonce = self._nonce(source, now_ms)
        stale = ", stale=true" if is_stale else ""
        return [
            (
                "WWW-Authenticate",
                f'Digest realm="{self._realm}", nonce="{nonce}", algorithm={algorithm}, qop="auth"{stale}',
            )
            for algorithm in self._algorithms
        ]

    def judge(self, message: SipMessage, source: str, now_ms: int) -> tuple[Outcome, str]:
        """What the credentials are worth, and the trunk of those that are right.

        Each nonce is good for one address, for a minute, and for each count once (no replay).
        """
        for value in message.get_all("authorization"):
            given = fields_of(value)
            if given.get("realm") == self._realm:
                return self._judge(given, message, source, now_ms)
        return Outcome.NONE, ""

    def _judge(
        self, given: dict[str, str], message: SipMessage, source: str, now_ms: int
    ) -> tuple[Outcome, str]:
        account = self._accounts.get(given.get("username", ""))
        request = Request(
            method=message.method, uri=given.get("uri", ""), realm=self._realm, nonce=given.get("nonce", ""),
            algorithm=given.get("algorithm", "MD5").upper(), qop=given.get("qop", ""), nc=given.get("nc", ""),
            cnonce=given.get("cnonce", ""),
        )  # fmt: skip
        if request.algorithm not in self._algorithms or request.qop != "auth":
            return Outcome.WRONG, ""
        password = account.password if account else self._decoy  # an unknown name takes as long
        right = request.response(given.get("username", ""), password)
        is_right = hmac.compare_digest(right.encode(), given.get("response", "").lower().encode())
        if not is_right or account is None:
            return Outcome.WRONG, ""
        if not self._is_fresh(request.nonce, source, now_ms) or not self._is_next(request.nonce, request.nc):
            return Outcome.STALE, ""
        return Outcome.RIGHT, account.trunk

    def _nonce(self, source: str, at_ms: int) -> str:
        salt = secrets.token_hex(4)
        return f"{at_ms:x}.{salt}.{self._seal(f'{at_ms:x}.{salt}.{source}')}"

    def _seal(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), "sha256").hexdigest()[:24]

    def _is_fresh(self, nonce: str, source: str, now_ms: int) -> bool:
        head, _, seal = nonce.rpartition(".")
        if not hmac.compare_digest(self._seal(f"{head}.{source}").encode(), seal.encode()):
            return False
        return 0 <= now_ms - int(head.partition(".")[0], 16) <= NONCE_LIFE_MS

    def _is_next(self, nonce: str, nc: str) -> bool:
        try:
            count = int(nc, 16)
        except ValueError:
            return False
        if count <= self._last_nc.get(nonce, 0):
            return False
        self._last_nc[nonce] = count
        if len(self._last_nc) > _MOST_NONCES:  # more than can be alive: each was sealed by us within a minute
            self._last_nc.popitem(last=False)
        return True
