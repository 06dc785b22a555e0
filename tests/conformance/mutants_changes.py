"""Mutants for the group ``changes``."""

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills
from .variants import changed


@kills("test_changes_name_a_session_after_everything_that_happens_to_it")
class SeesMessagesOnly(ReferenceProvider):
    """Looks for new messages, and overlooks assignments and ends."""

    @hitl.hookimpl
    async def list_changes(self, request):
        params = {"after": request.cursor, "limit": request.limit}
        page = await self._call("list_changes", "GET", "changes", params=params)
        moved = dict.fromkeys(event["ticket_id"] for event in page["events"] if event["type"] == "message.created")
        refs = tuple(hitl.SessionRef(connection=self._ctx.key, id=id_) for id_ in moved)
        return hitl.ChangePage(sessions=refs, cursor=page["cursor"], more=page["more"])


@kills("test_changes_do_not_name_what_stood_still")
class NamesTheLastAgain(ReferenceProvider):
    """Begins one change too early."""

    @hitl.hookimpl
    async def list_changes(self, request):
        if request.cursor:
            request = changed(request, cursor=str(max(int(request.cursor) - 1, 0)))
        return await super().list_changes(request)


@kills("test_changes_are_of_the_sessions_asked_for")
class NamesEverySession(ReferenceProvider):
    """Does not look at the sessions asked for."""

    @hitl.hookimpl
    async def list_changes(self, request):
        return await super().list_changes(changed(request, sessions=()))


@kills("test_changes_in_small_pages_name_every_session")
class NeverHasMore(ReferenceProvider):
    """Moves its cursor to the end of everything, however little it gave."""

    @hitl.hookimpl
    async def list_changes(self, request):
        page = await super().list_changes(request)
        while page.more:
            rest = await super().list_changes(changed(request, cursor=page.cursor))
            page = changed(page, cursor=rest.cursor, more=rest.more)
        return page


@kills("test_changes_belong_to_the_connection")
class NamesTheProvider(ReferenceProvider):
    """Writes the provider's name where the connection's key belongs."""

    @hitl.hookimpl
    async def list_changes(self, request):
        page = await super().list_changes(request)
        key = f"default/{self.info.name}"
        return changed(page, sessions=tuple(changed(ref, connection=key) for ref in page.sessions))


@kills("test_a_read_of_changes_may_wait")
class RefusesToWait(ReferenceProvider):
    """Refuses what its vendor cannot do."""

    @hitl.hookimpl
    async def list_changes(self, request):
        if request.wait:
            msg = "the vendor cannot wait"
            raise hitl.UnsupportedError(msg)
        return await super().list_changes(request)
