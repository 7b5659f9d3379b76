"""What campaigns decide, entered in the audit ledger and the log."""

from collections.abc import Mapping

import structlog

from sipagent.call.audit import Book
from sipagent.campaigns.runner import Note
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
            ledger.append(Kind.CAMPAIGN_DECIDED, body, sealed=dict(personal) or None)

    return note
