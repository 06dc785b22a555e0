"""The customer's record in the helpdesk: made once, however many ask for it at the same time (behaviour F05)."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Final

from hitl_core.bridge.engine.jobs.writes import Outcome, Unwritten, Waiting, Write, Written, grown, since, take
from hitl_core.bridge.engine.progress import Busy, Directory, Progress, UserClaim
from hitl_core.bridge.handoff.inputs import Failure
from hitl_core.clock import Clock
from hitl_core.connection import Connection
from hitl_core.people import EndUser, ExternalUser

__all__ = ["Users", "fingerprint", "user_key"]

logger = logging.getLogger(__name__)

_LONGEST_KEY: Final = 200
_BUSY_WAIT: Final = 0.2


def user_key(user: EndUser, conversation_id: str) -> str:
    """Return what a customer's record is kept under.

    Their ``external_id`` (its hash, where it is longer than 200 characters); without one, a hash of their e-mail
    address, else of their telephone number. A name alone tells nobody apart: such customers, and those nothing is
    known of, have a record for each conversation and name.
    """
    if user.external_id:
        return user.external_id if len(user.external_id) <= _LONGEST_KEY else f"id:{_hash(user.external_id)}"
    if user.email:
        return f"email:{_hash(user.email.strip().lower())}"
    if user.phone:
        return f"phone:{_hash(user.phone.strip())}"
    return f"nobody:{_hash(conversation_id, user.name or '')}"


def fingerprint(user: EndUser) -> str:
    """Return a hash of all that the bot knows of a customer: another one means that something has changed."""
    return _hash(json.dumps(user.model_dump(mode="json"), sort_keys=True))


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()


class UserWrite(Write[ExternalUser]):
    """Finding or making a customer's record."""

    harmless = True

    def __init__(
        self,
        connection: Connection,
        user: EndUser,
        known: ExternalUser | None,
        key: str,
        *,
        patience: float,
        holds: bool,
    ) -> None:
        super().__init__(connection, patience=patience, holds=holds)
        self._user = user
        self._known = known
        self._key = key

    async def attempt(self) -> ExternalUser:
        """Ask the helpdesk."""
        return await self.connection.create_user(self._user, known=self._known, idempotency_key=self._key)


class Users:
    """Customers' records in one account."""

    def __init__(self, connection: Connection, *, directory: Directory, clock: Clock) -> None:
        self._connection = connection
        self._directory = directory
        self._clock = clock

    async def settle(
        self, user: EndUser, conversation_id: str, progress: Progress, *, patience: float, holds: bool
    ) -> Outcome[ExternalUser]:
        """Return the customer's record, from our own books, or from the helpdesk by one call.

        Asking the helpdesk twice is harmless, so it is never unclear what came of it. The claim on the record is kept
        during the call alone; facts the helpdesk refuses do not cost the record that is known.
        """
        connection, key, known_by = self._connection.key, user_key(user, conversation_id), fingerprint(user)
        claim = await self._directory.claim_user(connection, key, known_by)
        match claim:
            case ExternalUser():
                return Written(claim)
            case UserClaim():
                return await self._make(user, claim.known, key, known_by, progress, patience=patience, holds=holds)
            case Busy():
                return self._busy(progress, patience)

    async def _make(
        self,
        user: EndUser,
        known: ExternalUser | None,
        key: str,
        known_by: str,
        progress: Progress,
        *,
        patience: float,
        holds: bool,
    ) -> Outcome[ExternalUser]:
        # One key for whoever makes this record of these facts: after a crash that may be another hand-off.
        idempotency_key = f"user/{_hash(key, known_by)[:32]}"
        write = UserWrite(self._connection, user, known, idempotency_key, patience=patience, holds=holds)
        came = await take(write, progress, self._clock)
        made = came.result if isinstance(came, Written) else None
        await self._directory.keep_user(self._connection.key, key, known_by, made)
        if isinstance(came, Unwritten) and came.failure in {Failure.REFUSED, Failure.CLOSED}:
            if known is not None:
                logger.warning("a customer's record is used as it is; bringing it up to date failed: %s", came.detail)
                return Written(known)
            return Unwritten(came.progress, Failure.REFUSED, came.detail)
        return came

    def _busy(self, progress: Progress, patience: float) -> Waiting | Unwritten:
        now = self._clock.now()
        progress = grown(progress, began_at=progress.began_at or now, unclear_since=None)
        if since(now, progress.began_at) > patience:
            detail = f"given up after {patience:g} s, nothing was done; the customer's record is still being made"
            return Unwritten(progress, Failure.UNAVAILABLE, detail)
        return Waiting(progress, _BUSY_WAIT)
