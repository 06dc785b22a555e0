"""Mutants for the group ``handling``."""

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills
from .variants import changed

_AGENT = "test_a_session_moves_to_an_agent_and_back_to_the_queue"
_SENSE = "test_availability_makes_sense_and_changes_nothing"
_TYPING = "test_typing_is_taken_and_is_no_message"


@kills(_TYPING)
class WritesThatTheyType(ReferenceProvider):
    """Tells of typing by a message."""

    @hitl.hookimpl
    async def send_typing(self, request):
        path = f"tickets/{request.session.id}/messages"
        await self._call("send_typing", "POST", path, json={"text": "…", "role": "user"})


@kills(_TYPING)
class CannotStopTyping(ReferenceProvider):
    """Knows only that somebody begins to type."""

    @hitl.hookimpl
    async def send_typing(self, request):
        if not request.typing:
            msg = "the helpdesk cannot show that"
            raise hitl.UnsupportedError(msg)
        await super().send_typing(request)


@kills(_AGENT)
class KeepsTheAgent(ReferenceProvider):
    """Does nothing when there is nobody to transfer to."""

    @hitl.hookimpl
    async def transfer(self, request):
        if request.agent or request.team:
            await super().transfer(request)


@kills(_AGENT)
class GivesItToTheFirst(ReferenceProvider):
    """Gives every ticket to the first agent."""

    @hitl.hookimpl
    async def transfer(self, request):
        await super().transfer(changed(request, agent="agent-1" if request.agent else None))


@kills("test_a_session_moves_to_a_team")
class KnowsNoTeams(ReferenceProvider):
    """Does not look at the team."""

    @hitl.hookimpl
    async def transfer(self, request):
        await super().transfer(changed(request, team=None))


@kills(_SENSE)
class CountsNobody(ReferenceProvider):
    """Says that somebody is available and nobody online."""

    @hitl.hookimpl
    async def get_availability(self):
        return hitl.Availability(available=True, agents_online=0)


@kills(_SENSE)
class OpensYesterday(ReferenceProvider):
    """Says that somebody will be there at a time gone by."""

    @hitl.hookimpl
    async def get_availability(self):
        return hitl.Availability(available=False, opens_at=self._ctx.clock.now())


@kills(_SENSE)
class AsksByTicket(ReferenceProvider):
    """Finds out by opening a ticket for nobody."""

    @hitl.hookimpl
    async def get_availability(self):
        user = await self.create_user(hitl.CreateUser(user=hitl.EndUser(external_id="probe"), key="probe"))
        await self.create_ticket(hitl.StartHitl(user=user, title="Is somebody there?", key="probe"))
        return hitl.Availability(available=True)


@kills("test_nobody_is_available_once_the_agents_have_left")
class AsksOnce(ReferenceProvider):
    """Asks once and remembers."""

    _there = None

    @hitl.hookimpl
    async def get_availability(self):
        self._there = self._there or await super().get_availability()
        return self._there
