"""What a registry's refusals and silences mean, in words that say who must do what."""

import json
import ssl

import httpx

from mainstream.errors import InputError, MainstreamError, OperationError
from mainstream.packages.manifest import printable

_LOGIN = "Log in (`docker login`, `podman login`) or name a file with credentials (--credentials FILE; a Secret in a cluster)."
_DETAIL_LENGTH = 300


class NotAllowedError(InputError):
    """The registry wants other credentials, or whoever runs it must give the right to do this."""


class NotThereError(InputError):
    """The registry has no such repository, tag or digest."""


def refused(
    status: int, body: bytes, *, where: str, registry: str, user: str | None, after: str, plain: bool
) -> MainstreamError:
    """The error for an HTTP status that is no answer.

    ``user`` is who we said we are (None: nobody), ``after`` the ``Retry-After``, ``plain`` whether it was asked without TLS.
    """
    detail = _detail(body)
    kind: type[MainstreamError] = NotAllowedError
    if status == 401 and user is None:
        problem, remedy = "asks for credentials", _LOGIN
    elif status == 401:
        problem, remedy = f"does not accept the password or token of {user!r}", _LOGIN
    elif status == 403:
        problem = f"forbids this to {user!r}" if user is not None else "forbids this to whoever has not logged in"
        remedy = f"Ask who runs the registry for the right to do this. {_LOGIN}"
    elif status == 404:
        kind = NotThereError
        problem = "has no such thing"
        remedy = "Check repository, tag and digest; some registries say this also to whoever has no right to see it."
    elif status == 400 and plain and not detail:
        kind = InputError
        problem = "does not understand plain HTTP (status 400): it seems to speak TLS"
        remedy = "Give its CA's certificate (--ca FILE), and no --insecure-http."
    else:
        kind = OperationError
        problem = "limits how often it is asked" if status == 429 else f"did not do it: HTTP status {status}"
        when = f"after {after} s" if after.isdecimal() else "later"
        remedy = f"Try again {when}; the registry's log says more."
    return kind(f"registry {registry} {problem}{detail}", where=where, remedy=remedy)


def unreachable(error: httpx.TransportError, *, where: str, registry: str) -> MainstreamError:
    """The error for a registry that could not be talked to."""
    fault = _tls_fault(error)
    if isinstance(fault, ssl.SSLCertVerificationError):
        return InputError(
            f"registry {registry} shows a certificate that cannot be trusted: {fault.verify_message}",
            where=where,
            remedy="Is it the right host? Where it has a CA of its own, give that: --ca FILE.",
        )
    if fault is not None:
        return InputError(
            f"registry {registry}: no TLS connection: {fault.reason or fault}",
            where=where,
            remedy="Does it speak plain HTTP? Where nobody can listen: --insecure-http.",
        )
    if isinstance(error, httpx.TimeoutException):
        what = f"registry {registry} does not answer"
    elif isinstance(error, httpx.ConnectError):
        what = f"registry {registry} cannot be reached: {printable(str(error))}"
    else:
        what = f"registry {registry} broke the connection: {printable(str(error)) or type(error).__name__}"
    return OperationError(
        what, where=where, remedy="Is its name right, is it up, does the network let us through? Then try again."
    )


def is_lasting(error: httpx.TransportError) -> bool:
    """Whether trying again is of no use: who is on the other side does not change by that."""
    return _tls_fault(error) is not None or isinstance(error, httpx.UnsupportedProtocol)


def _tls_fault(error: BaseException) -> ssl.SSLError | None:
    """The TLS fault that an error came from. A connection that ends in the middle is none: that is the network."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError) and not isinstance(seen, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _detail(body: bytes) -> str:
    """What the registry said itself: code and message of the distribution specification's errors."""
    try:
        first = json.loads(body)["errors"][0]
        words = [text for text in (first.get("code"), first.get("message")) if isinstance(text, str) and text]
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ""
    text = printable(": ".join(words))
    return f" ({text[:_DETAIL_LENGTH]})" if text else ""
