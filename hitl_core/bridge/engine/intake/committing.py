"""Writing what was read, all of it in one transaction that finds the connections still ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.engine.intake.drafting import Draft, Written
from hitl_core.bridge.engine.intake.parsing import DeliveryRead
from hitl_core.bridge.engine.intake.reading import SessionPages
from hitl_core.bridge.engine.intake.routing import sessions_of
from hitl_core.bridge.handoff.inputs import Failure
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.intake_rows import IntakeRows, Row
from hitl_core.bridge.store.link_rows import LinkRows

__all__ = ["Committer"]

_UNWRITABLE: Final = "the database refuses what was read of it; see the database's log"
_LATER: Final = timedelta(hours=1)


class Committer:
    """Writes what readers bring."""

    def __init__(self, store: Store, tenant: str, rows: IntakeRows, links: LinkRows) -> None:
        self._store = store
        self._tenant = tenant
        self._rows = rows
        self._links = links

    async def commit(self, brought: Sequence[DeliveryRead | SessionPages]) -> Written:
        """Write all of it, or nothing.

        :raises StoreError: nothing was written, or nobody can tell; all of it may be brought again.
        """
        draft = Draft(self._tenant, self._store.clock.now())
        async with self._store.write() as conn:
            ours = await self._ours(conn, brought, draft)
            links = await self._find_links(conn, ours)
            starts: dict[str, datetime | None] = {}
            for one in ours:
                key = one.owned.key
                routed = draft.route(one, links[key])
                if isinstance(one, SessionPages):
                    draft.pages(one, routed, links[key])
                elif one.failed is not None:
                    draft.failure(one, one.failed, links[key])
                else:
                    if key not in starts and (routed.nobodys or one.named - links[key].keys()):
                        starts[key] = await self._links.starting_since(conn, key)
                    draft.delivery(one, routed, links[key], starts.get(key))
            await self._write(conn, draft)
        return draft.written

    async def refuse(self, one: DeliveryRead | SessionPages) -> Written:
        """Write that the database does not take what was brought: a dead letter, or a session to be read later.

        :raises StoreError: as for :meth:`commit`.
        """
        draft = Draft(self._tenant, self._store.clock.now())
        async with self._store.write() as conn:
            if not await self._ours(conn, [one], draft):
                pass
            elif isinstance(one, SessionPages):
                draft.claims.append((one.owned.key, one.claim.session.id, one.claim.at, draft.now + _LATER))
                draft.note("unreadable", one, None, _UNWRITABLE)
            else:
                draft.bury(one, Failure.REFUSED, _UNWRITABLE, {})
            await self._write(conn, draft)
        return draft.written

    async def _ours(
        self, conn: AsyncConnection, brought: Sequence[DeliveryRead | SessionPages], draft: Draft
    ) -> list[DeliveryRead | SessionPages]:
        """Return what was brought for connections that are still ours, and keep them ours until the end."""
        fences = await self._rows.fences(conn, {one.owned.key for one in brought})
        ours = [one for one in brought if fences.get(one.owned.key) == one.owned.fence]
        draft.written.lost = {one.owned for one in brought} - {one.owned for one in ours}
        return ours

    async def _find_links(
        self, conn: AsyncConnection, brought: Sequence[DeliveryRead | SessionPages]
    ) -> Mapping[str, Mapping[str, Row]]:
        """Look again whose the sessions are: much may have happened while they were read."""
        ids: defaultdict[str, set[str]] = defaultdict(set)
        for one in brought:
            named = {one.claim.session.id} if isinstance(one, SessionPages) else one.named
            about = sessions_of(one.events or (), one.owned.key)
            ids[one.owned.key] |= about | named
        return {key: await self._links.find(conn, key, some) for key, some in ids.items()}

    async def _write(self, conn: AsyncConnection, draft: Draft) -> None:
        await self._rows.save_inputs(conn, draft.inputs)
        await self._links.move_cursors(conn, draft.cursors)
        await self._links.end_claims(conn, draft.claims)
        await self._links.want(conn, draft.wishes)
        await self._rows.settle(conn, draft.deliveries)
        await self._rows.save_letters(conn, draft.letters)
        await self._rows.save_audit(conn, draft.audit)
        if draft.typing:
            handoffs = await self._links.open_handoffs(conn, {id_ for id_, _ in draft.typing})
            for id_, event in draft.typing:
                handoff_id = handoffs.get((id_, event.session.id))
                if handoff_id is not None:
                    draft.written.typing.append((id_, handoff_id, event))
