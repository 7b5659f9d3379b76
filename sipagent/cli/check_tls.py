"""Are certificate, key and authorities of ``listen.tls`` fit for use?"""

import datetime
import ssl
from collections.abc import Iterator

from cryptography import x509

from sipagent.cli.check_models import Finding
from sipagent.config.schema import Config, TlsConfig

_WARNS_DAYS = 21


def tls_findings(config: Config) -> Iterator[Finding]:
    """Yield what is wrong with certificate, key and authorities."""
    tls = config.listen.tls
    if tls is None:
        return
    if not tls.verify_peers:
        text = "any certificate of a peer will do; set it to true where calls leave this building"
        yield Finding("listen.tls.verify_peers", text, is_fatal=False)
    yield from _own_certificate(tls)
    if tls.ca_file is not None:
        try:
            ssl.create_default_context(cafile=str(tls.ca_file))
        except (OSError, ssl.SSLError) as exc:
            yield Finding("listen.tls.ca_file", f"{tls.ca_file} cannot be used: {exc}")


def _own_certificate(tls: TlsConfig) -> Iterator[Finding]:
    key = "listen.tls.certificate_file"
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate_file, tls.key_file)
        certificate = x509.load_pem_x509_certificate(tls.certificate_file.read_bytes())
    except (OSError, ssl.SSLError, ValueError) as exc:
        yield Finding(key, f"{tls.certificate_file} with {tls.key_file} cannot be used: {exc}")
        return
    if tls.key_file.stat().st_mode & 0o077:
        hint = f"others may read the key; run: chmod 600 {tls.key_file}"
        yield Finding("listen.tls.key_file", hint, is_fatal=False)
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    if left.days < _WARNS_DAYS:
        when = certificate.not_valid_after_utc.date()
        yield Finding(key, f"ends on {when}: renew it", is_fatal=left.total_seconds() <= 0)
