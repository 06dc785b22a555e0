"""Mutants for the group ``sessions``."""

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills
from .variants import changed

_STORED = "test_a_session_can_be_stored_and_used_by_another_instance"
_PLAN = "test_a_plan_can_be_stored_and_carried_out_by_another_instance"
_SECOND = "test_a_second_hand_off_shares_nothing_with_the_first"


class _Returning(ReferenceProvider):
    """Changes the session it returns."""

    def returned(self, session):
        raise NotImplementedError

    def _session(self, ticket):
        return self.returned(super()._session(ticket))


@kills("test_a_session_names_connection_provider_and_customer")
class NamesAnotherConnection(_Returning):
    """Puts its own name where the connection's key belongs."""

    def returned(self, session):
        return changed(session, ref=changed(session.ref, connection=f"{session.provider}/{session.provider}"))


@kills("test_a_session_names_connection_provider_and_customer")
class LinksWithoutEncryption(_Returning):
    """Gives agents an http link."""

    def returned(self, session):
        return changed(session, url=f"http://helpdesk.test/tickets/{session.id}")


@kills("test_the_ids_of_the_opening_are_those_of_its_messages")
class NamesTheTicketAsAMessage(ReferenceProvider):
    """Gives the ticket's id as that of the opening."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        started = await super().create_ticket(request)
        return changed(started, ids=(started.session.id,))


@kills(_STORED)
class RemembersInMemory(ReferenceProvider):
    """Knows only the tickets this very instance has opened."""

    def __init__(self, ctx):
        super().__init__(ctx)
        self._opened = set()

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        started = await super().create_ticket(request)
        self._opened.add(started.session.id)
        return started

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        if request.session.id not in self._opened:
            msg = "never heard of it"
            raise hitl.NotFoundError(msg)
        return await super().add_message(request)


@kills(_STORED)
class KeepsObjects(_Returning):
    """Hangs something on the session that cannot be stored."""

    def returned(self, session):
        return changed(session, data={"opened": (1, 2)})


@kills(_PLAN)
class KeepsTheFirstStep(ReferenceProvider):
    """Opens in two steps and keeps in memory what the second one needs."""

    _text = None

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        if request.resume is None:
            self._text = request.title
            return hitl.StartedSession(resume={"next": 1})
        return await super().create_ticket(changed(request, title=self._text.strip()))


@kills(_PLAN)
class HandsOnObjects(ReferenceProvider):
    """Opens in two steps and takes back a set, which the database made a list of."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        if request.resume is None:
            return hitl.StartedSession(resume={"placed": {"0": 1}, "limits": [2000]})
        if request.resume["placed"].get(0) != 1:
            msg = "the opening is placed already"
            raise hitl.InvalidRequestError(msg)
        return await super().create_ticket(request)


@kills(_SECOND)
class OneTicketEach(ReferenceProvider):
    """Opens one ticket for a customer and goes on using it."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        return await super().create_ticket(changed(request, key=f"of-{request.user.id}"))


@kills(_SECOND)
class ReopensThePrevious(ReferenceProvider):
    """Writes what follows a hand-off into the session before it too."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        if request.previous is not None:
            path = f"tickets/{request.previous.id}/messages"
            await self._call("start_hitl", "POST", path, json={"text": request.description, "reopen": True})
        return await super().create_ticket(request)


@kills("test_two_starts_at_once_do_not_mix")
class KeepsTheRequestInSelf(ReferenceProvider):
    """Keeps what it works on in the instance, which two calls share."""

    _request = None

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        self._request = request
        await self._call("start_hitl", "GET", "me")
        return await super().create_ticket(changed(self._request, key=request.key))
