"""Reading one delivery: what it meant, or why it could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import ValidationError

from hitl_core.bridge.engine.classify import asked_wait, classify, describe, of_provider
from hitl_core.bridge.engine.intake.owning import Owned
from hitl_core.bridge.engine.intake.queueing import Waiting
from hitl_core.bridge.handoff.inputs import Failure
from hitl_core.bridge.store.intake_rows import Row
from hitl_core.bridge.store.tables import storable
from hitl_core.clock import Clock
from hitl_core.events import AnyEvent
from hitl_core.sessions import HitlSession, SessionRef
from hitl_core.webhooks import KnownSession, WebhookDelivery

__all__ = [
    "DeliveryRead",
    "Failed",
    "back_off",
    "failed",
    "known_session",
    "parse",
    "sessions_named",
    "waiting_of",
]

_PATIENCE: Final = timedelta(hours=24)
_AT_LEAST: Final = 5
_LONGEST: Final = 900.0
_MENDING: Final = 60.0
_CALL: Final = timedelta(seconds=60)
_UNREADABLE: Final = "this version cannot read it; replay it once every worker has the newer version"


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a delivery could not be read.

    :param retry_at: when it is tried again; ``None`` for never.
    :param attempts: how many attempts were burned; waiting for a person to mend the account burns none.
    """

    failure: Failure
    detail: str
    retry_at: datetime | None
    attempts: int


@dataclass(frozen=True, slots=True)
class DeliveryRead:
    """What came of reading a delivery.

    :param named: the sessions it names.
    :param known: those that were ours when it was read, with the cursor of each.
    :param events: what it meant; ``None`` when it was not read at all, since all it names is nobody's yet.
    :param cursors: where reads the provider made on the way ended, by session.
    """

    owned: Owned
    waiting: Waiting
    named: frozenset[str]
    known: Mapping[str, str | None] = field(default_factory=dict)
    events: tuple[AnyEvent, ...] | None = None
    cursors: Mapping[str, str] = field(default_factory=dict)
    failed: Failed | None = None


def waiting_of(row: Row) -> Waiting:
    """Take a delivery in memory; one this version cannot read waits for nothing."""
    delivery: WebhookDelivery | None
    try:
        delivery = WebhookDelivery.model_validate_json(row.payload)
    except ValidationError:
        delivery = None
    return Waiting(
        position=row.position,
        id=row.id,
        sessions=sessions_named(delivery),
        received_at=row.received_at,
        attempts=row.attempts,
        not_before=row.not_before,
        delivery=delivery,
        stored_parked=row.state != 0,
    )


def sessions_named(delivery: WebhookDelivery | None) -> tuple[str, ...]:
    """Return the sessions a delivery names, each once; one whose id no database can hold is nobody's."""
    return tuple(dict.fromkeys(id_ for id_ in delivery.session_ids if storable(id_))) if delivery else ()


def known_session(owned: Owned, row: Row, own_ids: frozenset[str]) -> KnownSession:
    """Return what a provider needs to know of a session."""
    try:
        session = HitlSession.model_validate_json(row.session)
    except ValidationError:  # of a newer version: its id is enough to go on with
        ref = SessionRef(connection=owned.key, id=row.session_id)
        session = HitlSession(ref=ref, provider=owned.connection.info.name)
    return KnownSession(session=session, cursor=row.cursor, own_message_ids=own_ids)


async def parse(owned: Owned, waiting: Waiting, known: Mapping[str, KnownSession], clock: Clock) -> DeliveryRead:
    """Read a delivery; raises nothing but cancellation."""
    delivery = waiting.delivery
    cursors = {id_: session.cursor for id_, session in known.items()}
    if delivery is None:
        failure = Failed(Failure.REFUSED, _UNREADABLE, None, waiting.attempts)
        return DeliveryRead(owned, waiting, frozenset(waiting.sessions), cursors, failed=failure)
    named = frozenset(sessions_named(delivery))
    try:
        parsed = await of_provider(owned.connection.parse_delivery(delivery, known, deadline=clock.now() + _CALL))
    except Exception as error:  # noqa: BLE001 - a provider is somebody else's code; its class decides
        failure = failed(waiting, error, clock.now())
        return DeliveryRead(owned, waiting, named, cursors, failed=failure)
    return DeliveryRead(owned, waiting, named, cursors, parsed.events, parsed.cursors)


def failed(waiting: Waiting, error: Exception, now: datetime) -> Failed:
    """Judge an error by its class (guarantee 5)."""
    failure, detail = classify(error), describe(error).encode("utf-8", "replace").decode().replace("\0", "")
    asked = asked_wait(error) or 0.0
    match failure:
        case Failure.UNAVAILABLE | Failure.UNRESOLVED:  # reading can be repeated, whatever became of it
            attempts = waiting.attempts + 1
            if attempts >= _AT_LEAST and now - waiting.received_at >= _PATIENCE:
                return Failed(failure, f"given up after {attempts} attempts; last: {detail}", None, attempts)
            wait = max(asked, back_off(waiting.attempts))
        case Failure.NOT_ALLOWED:
            attempts, wait = waiting.attempts, max(asked, _MENDING)
        case _:
            return Failed(failure, detail, None, waiting.attempts + 1)
    return Failed(failure, detail, now + timedelta(seconds=wait), attempts)


def back_off(failures: int) -> float:
    """Return how many seconds to wait after some failures in a row before this one."""
    return min(_LONGEST, 2.0 ** min(failures, 20))
