"""What a Secret holds for a sink, read anew for each connection, so that a changed Secret counts without a restart."""

import ssl
from dataclasses import dataclass, field

from mainstream.errors import InputError
from mainstream.resources.metadata import SecretRef
from mainstream_runner.secrets import Secrets
from mainstream_runner.sinks.link import SinkAwayError

_KEYS = ("username", "password", "token", "authorization", "ca.crt", "tls.crt", "tls.key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Values of a Secret's keys; None where it has no such key. They are in no ``repr``."""

    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    authorization: str | None = field(default=None, repr=False)


def read_credentials(secrets: Secrets, ref: SecretRef | None) -> Credentials:
    """The credentials of a sink, none without ``ref``; ``SinkAwayError`` if the Secret is not there or cannot be used.

    A Secret that is named and missing is never the same as none: nothing is sent without what should protect it.
    """
    if ref is None:
        return Credentials()
    try:
        values = {key: secrets.get(ref, key) for key in _KEYS[:4]}
    except InputError as error:
        raise SinkAwayError(error.problem) from None
    if not any(values.values()) and all(secrets.file(ref, key) is None for key in _KEYS[4:]):
        raise SinkAwayError(
            f"secret {ref.name!r} has none of the keys {', '.join(_KEYS)}: is it in the secrets' folder?"
        )
    for key, value in values.items():
        if value is not None and not value.isprintable():
            raise SinkAwayError(f"key {key!r} of secret {ref.name!r} holds a line break or another control character")
    return Credentials(**values)


def tls_context(secrets: Secrets, ref: SecretRef | None) -> ssl.SSLContext:
    """TLS that verifies the other side: by ``ca.crt`` alone if the Secret has it, else by the CAs that the system trusts.

    With ``tls.crt`` and ``tls.key`` we show a certificate ourselves. ``SinkAwayError`` if one of the files cannot be used.
    """
    authority, certificate, key = (
        None if ref is None else secrets.file(ref, name) for name in ("ca.crt", "tls.crt", "tls.key")
    )
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError:  # ssl.SSLError is one
        raise SinkAwayError(f"ca.crt of secret {_name(ref)} is no certificate that can be read") from None
    if certificate is not None and key is not None:
        try:
            context.load_cert_chain(certificate, key, password=b"")  # never ask for one on a terminal
        except (OSError, ValueError):
            raise SinkAwayError(
                f"tls.crt and tls.key of secret {_name(ref)} cannot be used: both in PEM, belonging together, no passphrase"
            ) from None
    elif certificate is not None or key is not None:
        raise SinkAwayError(f"secret {_name(ref)} has only one of tls.crt and tls.key")
    return context


def _name(ref: SecretRef | None) -> str:
    return repr(ref.name if ref else "")
