"""Proper answers to requests that the library leaves unanswered or answers with 500, by its C API.

Outside a call: REGISTER, MESSAGE, SUBSCRIBE and the like, to which PJSIP says nothing (or, to MESSAGE, a 200
that nobody meant). A small PJSIP module stands before the library's application layer; requests that belong
to a call have been taken by then. Inside a call: OPTIONS, and INFO that brings a key.
"""

import ctypes
from collections.abc import Callable
from typing import Any

import pjsua2 as pj

from sipagent.sip.c_api import c_api

OK, UNSUPPORTED_MEDIA, NOT_ACCEPTABLE, BAD_EVENT = 200, 415, 488, 489
_NOT_ALLOWED, _NO_CALL, _NOT_IMPLEMENTED = 405, 481, 501
_OUTSIDE = {
    "REGISTER": _NOT_ALLOWED,
    "MESSAGE": _NOT_ALLOWED,
    "REFER": _NOT_ALLOWED,
    "SUBSCRIBE": BAD_EVENT,  # RFC 6665 §4.1.3
    "PUBLISH": BAD_EVENT,  # RFC 3903 §6
    "NOTIFY": _NO_CALL,
    "INFO": _NO_CALL,
    "UPDATE": _NO_CALL,
    "PRACK": _NO_CALL,
    "BYE": _NO_CALL,
}
_LEFT_TO_THE_LIBRARY = ("INVITE", "ACK", "CANCEL", "OPTIONS")
_BEFORE_APPLICATION = 63
"""PJSIP_MOD_PRIORITY_APPLICATION is 64; dialogs come at 32 and 48."""
_ON_REQUEST = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)
_LONGEST_NAME = 32


class _Name(ctypes.Structure):
    _fields_ = (("text", ctypes.c_char_p), ("length", ctypes.c_ssize_t))


class _Module(ctypes.Structure):
    """pjsip_module (pjsip/sip_module.h), unchanged since PJSIP 1.0."""

    _fields_ = (
        ("links", ctypes.c_void_p * 2),
        ("name", _Name),
        ("id", ctypes.c_int),
        ("priority", ctypes.c_int),
        ("lifecycle", ctypes.c_void_p * 4),
        ("on_rx_request", _ON_REQUEST),
        ("others", ctypes.c_void_p * 4),
    )


class StrayAnswers:
    """Answers requests that belong to no call. Made once an endpoint, kept until it is destroyed."""

    def __init__(self, on_answered: Callable[[str, int], None]) -> None:
        """:param on_answered: told the method and the status, on the SIP thread; must not raise."""
        self._api = c_api()
        self._endpoint = self._api.pjsua_get_pjsip_endpt()
        self._on_answered = on_answered
        self._allow = self._allow_header()
        name = b"sipagent-answers"
        self._module = _Module(
            name=_Name(name, len(name)),
            id=-1,
            priority=_BEFORE_APPLICATION,
            on_rx_request=_ON_REQUEST(self._on_request),
        )
        self.is_registered = (
            self._api.pjsip_endpt_register_module(self._endpoint, ctypes.byref(self._module)) == 0
        )

    def __repr__(self) -> str:
        return f"StrayAnswers(registered={self.is_registered})"

    def _allow_header(self) -> "ctypes.Array[ctypes.c_void_p]":
        """A list of headers with the endpoint's Allow, which every 405 needs (RFC 3261 §21.4.6)."""
        head = (ctypes.c_void_p * 2)()
        ours = self._api.pjsip_endpt_get_capability(self._endpoint, pj.PJSIP_H_ALLOW, None)
        self._pool = self._api.pjsua_pool_create(b"answers", 512, 512)
        address = ctypes.addressof(head)
        head[0] = head[1] = self._api.pjsip_hdr_shallow_clone(self._pool, ours) if ours else address
        if ours:
            links = (ctypes.c_void_p * 2).from_address(head[1] or 0)
            links[0] = links[1] = address
        return head

    def _on_request(self, received: int) -> int:
        """1: answered here; 0: the library goes on with it."""
        try:
            method = method_of(self._api.pjsip_rx_data_get_info(received) or b"")
            if not method or method in _LEFT_TO_THE_LIBRARY:
                return 0
            status = _OUTSIDE.get(method, _NOT_IMPLEMENTED)
            self._api.pjsip_endpt_respond_stateless(
                self._endpoint, received, status, None, ctypes.byref(self._allow), None
            )
            self._on_answered(method, status)
        except Exception:  # ctypes would print and forget it; the request is left to the library
            return 0
        return 1


def method_of(info: bytes) -> str:
    """The method in the library's description of a request: ``Request msg REGISTER/cseq=1 (rdata…)``."""
    words = info.decode("ascii", "replace").split(" ", 3)
    if len(words) < 3 or words[0] != "Request":
        return ""
    return words[2].partition("/cseq=")[0][:_LONGEST_NAME]


def answer_within_call(transaction: Any, received: Any, status: int) -> bool:
    """Answer a request of a call's own dialog, before the library says 500; False: it did not take it.

    :param transaction: ``SipTransaction.pjTransaction``. :param received: ``SipRxData.pjRxData``.
    """
    api = c_api()
    response = ctypes.c_void_p()
    if api.pjsip_endpt_create_response(
        api.pjsua_get_pjsip_endpt(), int(received), status, None, ctypes.byref(response)
    ):
        return False
    return bool(api.pjsip_tsx_send_msg(int(transaction), response) == 0)
