"""How a kit test says what it expects: errors of a provider become failures that state the rule."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from hitl_core.errors import HitlError, SessionClosedError
from hitl_core.testing.conformance.room import Room

__all__ = ["Refusal", "promised", "refused", "unsent"]

ErrorT = TypeVar("ErrorT", bound=HitlError)


@contextmanager
def promised(rule: str) -> Iterator[None]:
    """Fail with the rule when what is inside raises an error.

    :param rule: what must work, in a sentence.
    """
    try:
        yield
    except HitlError as error:
        msg = f"{rule}; instead: {type(error).__name__}: {error}"
        raise AssertionError(msg) from error


class Refusal(Generic[ErrorT]):
    """The error of a refusal, once there was one."""

    error: ErrorT


@contextmanager
def refused(kind: type[ErrorT], rule: str) -> Iterator[Refusal[ErrorT]]:
    """Fail with the rule unless what is inside raises an error of this kind.

    :param rule: what must be refused, in a sentence.
    """
    refusal: Refusal[ErrorT] = Refusal()
    try:
        yield refusal
    except kind as error:
        refusal.error = error
    except HitlError as error:
        msg = f"{rule}, by {kind.__name__}; instead: {type(error).__name__}: {error}"
        if kind is SessionClosedError:
            msg += "; tell ctx.http by classify= which refusal says so (VendorError(error=hitl.SessionClosedError))"
        raise AssertionError(msg) from error
    else:
        msg = f"{rule}, by {kind.__name__}; instead it was taken"
        raise AssertionError(msg)


@contextmanager
def unsent(room: Room, rule: str = "nothing may be sent before the content is checked") -> Iterator[None]:
    """Fail with the rule when what is inside sends something that may change the helpdesk."""
    before = len(room.wire.writes())
    yield
    sent = room.wire.writes()[before:]
    kinds = ", ".join(request.method for request in sent)
    assert not sent, f"{rule}, but {len(sent)} went out ({kinds})"
