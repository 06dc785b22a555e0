"""Mutants for the group ``records``."""

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider
from hitl_core.testing.reference.events import facts_of

from .mutation import kills
from .variants import changed


class Rewrites(ReferenceProvider):
    """Changes what a read gives."""

    @hitl.hookimpl
    async def list_events(self, request):
        return self.rewritten(request, await super().list_events(self.asked(request)))

    def asked(self, request):
        return request

    def rewritten(self, request, page):
        return page


@kills("test_push_and_pull_tell_the_same")
class OtherIdsByPull(Rewrites):
    """Makes event ids of its own for pull."""

    def rewritten(self, request, page):
        events = [each.model_copy(update={"event_id": f"pull-{each.event_id}"}) for each in page.events]
        return changed(page, events=tuple(events))


@kills("test_push_and_pull_tell_the_same")
class OtherWordsByPull(Rewrites):
    """Trims what an agent wrote by pull and not by webhook."""

    def rewritten(self, request, page):
        events = [
            changed(each, message=hitl.Text(text=each.message.text[:5]))
            if isinstance(each, hitl.AgentMessage) and isinstance(each.message, hitl.Text)
            else each
            for each in page.events
        ]
        return changed(page, events=tuple(events))


@kills("test_reading_goes_on_where_it_ended")
class ReadsTheLastAgain(Rewrites):
    """Begins one event too early."""

    def asked(self, request):
        return changed(request, cursor=str(max(int(request.cursor) - 1, 0))) if request.cursor else request


@kills("test_reading_without_a_cursor_begins_at_the_beginning")
class BeginsAtTheNewest(Rewrites):
    """Gives only the newest event without a cursor."""

    def rewritten(self, request, page):
        return changed(page, events=page.events[-1:]) if request.cursor is None else page


@kills("test_reading_from_the_cursor_of_the_start_misses_nothing")
class StartsTooFar(ReferenceProvider):
    """Names a cursor of the start that is one event ahead."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        started = await super().create_ticket(request)
        return changed(started, cursor=str(len(started.ids) + 1))


@kills("test_small_pages_lose_nothing")
class TrustsItsPageSize(Rewrites):
    """Says that there is no more when a page is not full by its own measure."""

    def rewritten(self, request, page):
        return changed(page, more=len(page.events) >= 100)


@kills("test_a_cursor_outlives_the_process")
class RemembersItsCursors(Rewrites):
    """Keeps what a cursor stands for in memory."""

    def __init__(self, ctx):
        super().__init__(ctx)
        self._cursors = {}

    def asked(self, request):
        return changed(request, cursor=self._cursors.get(request.cursor))

    def rewritten(self, request, page):
        name = f"cursor-{page.cursor}"
        self._cursors[name] = page.cursor
        return changed(page, cursor=name)


@kills("test_the_state_is_true")
class ForgetsWhoHasIt(Rewrites):
    """Shows the first agent for ever."""

    _first = None

    def rewritten(self, request, page):
        self._first = self._first or page.state.agent
        return changed(page, state=changed(page.state, agent=self._first))


@kills("test_a_closed_session_is_read_to_its_end")
class ReadsNothingOfTheClosed(Rewrites):
    """Shows no messages of a closed ticket."""

    def rewritten(self, request, page):
        return page if page.state.open else changed(page, events=())


@kills("test_a_session_that_is_gone_is_not_open")
class TakesGoneForOpen(ReferenceProvider):
    """Takes a ticket it cannot find for one where nothing has happened."""

    @hitl.hookimpl
    async def list_events(self, request):
        try:
            return await super().list_events(request)
        except hitl.NotFoundError:
            return hitl.EventPage(state=hitl.SessionState(open=True), cursor=request.cursor)


class ReadsAs(ReferenceProvider):
    """Reads events as somebody else."""

    @hitl.hookimpl
    async def list_events(self, request):
        page = await super().list_events(request)
        return changed(page, events=tuple(fact for event in page.events for fact in self.read(event.raw)))


@kills("test_our_own_messages_are_not_read_as_an_agents")
class HearsItself(ReadsAs):
    """Does not know itself by pull."""

    def read(self, event):
        return facts_of(event, connection=self._ctx.key, me="somebody else")


@kills("test_what_is_not_for_the_customer_is_not_read_as_an_agents_message")
class ReadsNotesAloud(ReadsAs):
    """Reads notes as if they were for the customer."""

    def read(self, event):
        if event.get("message"):
            event = {**event, "message": {**event["message"], "public": True}}
        return facts_of(event, connection=self._ctx.key, me="app-1")


@kills("test_a_read_may_wait")
class RefusesToWait(ReferenceProvider):
    """Refuses what its vendor cannot do."""

    @hitl.hookimpl
    async def list_events(self, request):
        if request.wait:
            msg = "the vendor cannot wait"
            raise hitl.UnsupportedError(msg)
        return await super().list_events(request)
