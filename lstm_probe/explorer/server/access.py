"""Who may read: this machine alone, or whoever has the token."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass

from lstm_probe.core.errors import LstmProbeError

__all__ = ["Access", "new_token"]

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")


@dataclass(frozen=True)
class Access:
    """The rule by which a request is let through.

    Without a token only this machine is served. A page of the internet that the user visits can
    have its own name resolve to 127.0.0.1 and so reach the server through the browser, hence the
    name in the request has to be one of this machine's own.

    Attributes:
        host: the address that the server binds.
        token: what a request has to bring; None if there is none.

    Raises:
        LstmProbeError: the host is not this machine's own and there is no token, or the token is
            too short to be secret.

    Example:
        >>> Access("127.0.0.1").problem("localhost:6007", None) is None
        True
        >>> print(Access("127.0.0.1").problem("evil.example", None))
        This server is read under the names of its own machine. Received: 'evil.example'. \
Expected: localhost or 127.0.0.1, or a server that was started with --read-only-token.
    """

    host: str
    token: str | None = None

    def __post_init__(self) -> None:
        if self.token is not None and not _TOKEN.fullmatch(self.token):
            raise LstmProbeError(
                f"The token is not one. Received: {len(self.token)} characters. Expected: 16 to "
                "128 letters, digits, - and _; or `new`, which makes one."
            )
        if self.token is None and not _is_this_machine(self.host):
            raise LstmProbeError(
                "Whoever reaches this address could read the log. Received: --host "
                f"{self.host}. Expected: 127.0.0.1; or --read-only-token new as well, so that only "
                "those can read who have the address with the token."
            )

    def problem(self, name: str, token: str | None) -> str | None:
        """Why a request is refused; None if it is let through.

        Args:
            name: under which the server was asked, as the header `Host` has it.
            token: what the request brought.
        """
        if self.token is not None:
            if token is not None and hmac.compare_digest(token.encode(), self.token.encode()):
                return None
            return (
                "This server is read with its token. Received: none or another one. Expected: the "
                "address that `lstm-probe serve` printed, with ?token=... in it."
            )
        if _without_port(name) in {"localhost", "127.0.0.1", "[::1]", self.host}:
            return None
        return (
            f"This server is read under the names of its own machine. Received: {name[:80]!r}. "
            "Expected: localhost or 127.0.0.1, or a server that was started with --read-only-token."
        )


def new_token() -> str:
    """A token that nobody can guess.

    Example:
        >>> len(new_token())
        32
    """
    return secrets.token_urlsafe(24)


def _without_port(name: str) -> str:
    return re.sub(r":\d*$", "", name.lower())


def _is_this_machine(host: str) -> bool:
    """Whether all addresses of a host are those by which a machine reaches itself alone."""
    try:
        found = {each[4][0] for each in socket.getaddrinfo(host, None)}
    except OSError as error:
        raise LstmProbeError(
            f"There is no such host. Received: --host {host}. Expected: 127.0.0.1, or an address "
            "of this machine."
        ) from error
    return all(ipaddress.ip_address(str(each).partition("%")[0]).is_loopback for each in found)
