"""How a client proves who it is."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Protocol

from pydantic import SecretStr

from hitl_core.errors import ConfigurationError
from hitl_core.logs import register_secret

__all__ = ["Auth", "BasicAuth", "BearerAuth", "HeaderAuth", "UnusableSecretError"]


class UnusableSecretError(ConfigurationError):
    """A header cannot carry the secret, as after careless copying; whoever has the settings can tell which it is."""

    def __init__(self, message: str, secret: SecretStr) -> None:
        super().__init__(message)
        self.secret = secret


class Auth(Protocol):
    """Gives the headers that carry credentials; asked before every request."""

    async def headers(self) -> Mapping[str, str]:
        """Return the headers, names in lower case."""
        ...

    async def refresh(self) -> bool:
        """Get new credentials; called after a 401, at most twice for one request.

        :returns: whether there are new ones: the request, which was refused and so did nothing, goes out once more.
        """
        ...


class HeaderAuth:
    """A secret in a header of its own.

    :raises ConfigurationError: the secret is empty or holds blanks or line breaks, as after careless copying.
    """

    __slots__ = ("_headers", "_name", "_secret")

    def __init__(self, name: str, secret: SecretStr) -> None:
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
            msg = f"{name!r} is not a header name"
            raise ConfigurationError(msg)
        self._name = name.lower()
        self._secret = register_secret(_clean(secret))
        self._headers = {self._name: secret.get_secret_value()}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name}>"

    async def headers(self) -> Mapping[str, str]:
        """Return the header."""
        return self._headers

    async def refresh(self) -> bool:
        """There is nothing newer than what was configured."""
        return False


class BearerAuth(HeaderAuth):
    """A bearer token (RFC 6750)."""

    __slots__ = ()

    def __init__(self, token: SecretStr) -> None:
        super().__init__("authorization", token)
        self._headers = {"authorization": f"Bearer {token.get_secret_value()}"}


class BasicAuth(HeaderAuth):
    """User and password (RFC 7617), in UTF-8. Some vendors take an API key as either.

    :raises ConfigurationError: the user holds a colon, which separates the two.
    """

    __slots__ = ("_password",)

    def __init__(self, user: str, password: SecretStr) -> None:
        if ":" in user or not user.isprintable():
            msg = "the user name holds a colon or a control character, which Basic authentication cannot carry"
            raise ConfigurationError(msg)
        self._password = register_secret(password)
        pair = b64encode(f"{user}:{password.get_secret_value()}".encode()).decode()
        super().__init__("authorization", SecretStr(pair))
        self._headers = {"authorization": f"Basic {pair}"}


def _clean(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[\x21-\x7e]+", secret.get_secret_value()):
        msg = (
            "the secret is empty, or holds blanks, line breaks or other characters a header cannot carry; "
            "copy it again without what surrounds it"
        )
        raise UnusableSecretError(msg, secret)
    return secret
