"""What campaigns decide, entered in the audit ledger and the log."""

from collections.abc import Mapping

import structlog

from sipagent.call.audit import Book
from sipagent.campaigns.settling import Note
from sipagent.errors import LedgerError
from sipagent.ledger import Kind


def noting(log: structlog.stdlib.BoundLogger, ledger: Book | None) -> Note:
    """A ``Note`` that logs, and enters ``campaign.decided`` with the contact sealed.

    :param ledger: None: there is none.
    """

    def note(campaign: str, decision: str, rule: str, personal: Mapping[str, str]) -> None:
        pii = {f"pii_{name}": value for name, value in personal.items()}
        log.info("campaign.decided", campaign=campaign, decision=decision, rule=rule, **pii)
        if ledger is not None:
            body = {"campaign": campaign, "decision": decision, "rule": rule}
            try:
                ledger.append(Kind.CAMPAIGN_DECIDED, body, sealed=dict(personal) or None)
            except LedgerError as error:  # a call is under way: it must go on as decided
                log.error("campaign.not_entered", campaign=campaign, decision=decision, reason=str(error))

    return note
