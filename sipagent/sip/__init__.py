"""The SIP side: everything that touches pjsua2."""
