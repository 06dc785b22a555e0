"""Mutants for the group ``stopping``."""

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

from .mutation import kills
from .variants import declaring

WORDS = {"user_left": "left", "bot_resolved": "resolved", "agent_closed": "closed", "timeout": "timed out"}


class Looking(ReferenceProvider):
    """Looks at the ticket before closing it."""

    async def looked(self, request):
        """Return the ticket, and who did something there last."""
        path = f"tickets/{request.session.id}"
        ticket = await self._call("stop_hitl", "GET", path)
        events = (await self._call("stop_hitl", "GET", f"{path}/events"))["events"]
        return ticket, events[-1]["actor"]["role"] if events else None


@kills("test_an_open_session_ends_in_the_helpdesk")
class ForgetsToClose(ReferenceProvider):
    """Leaves the ticket as it is."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        pass


@kills("test_stopping_twice_is_fine")
class ClosesOnlyWhatIsOpen(Looking):
    """Takes a ticket it has closed itself for a mistake."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        ticket, last = await self.looked(request)
        if ticket["status"] == "closed" and last != "agent":
            msg = "the ticket is closed"
            raise hitl.SessionClosedError(msg)
        await super().close_ticket(request)


@kills("test_stopping_what_an_agent_has_ended_is_fine")
class ArguesWithAgents(Looking):
    """Takes a ticket that an agent has closed for a mistake."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        ticket, last = await self.looked(request)
        if ticket["status"] == "closed" and last == "agent":
            msg = "an agent has closed the ticket"
            raise hitl.ConflictError(msg)
        await super().close_ticket(request)


@kills("test_stopping_a_session_that_does_not_exist_says_so")
class TakesMissingForClosed(ReferenceProvider):
    """Says nothing when there is no such ticket."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        try:
            await super().close_ticket(request)
        except hitl.NotFoundError:
            return


@kills("test_stopping_a_session_that_does_not_exist_says_so")
class CallsMissingClosed(ReferenceProvider):
    """Says that a ticket has ended which never was."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        try:
            await super().close_ticket(request)
        except hitl.NotFoundError as error:
            raise hitl.SessionClosedError(error.message) from error


@kills("test_every_reason_to_stop_is_accepted")
class KnowsFewReasons(ReferenceProvider):
    """Has words for some reasons only."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        assert WORDS[request.reason]
        await super().close_ticket(request)


class EndsForGood(ReferenceSimulator):
    """Lets nobody open what was closed."""

    async def session(self, session_id):
        seen = await super().session(session_id)
        return seen.model_copy(update={"final": not seen.open})


@kills("test_a_stop_leaves_the_session_fit_to_be_reopened")
class StopsForGood(ReferenceProvider):
    """Stops by what is final."""

    simulator = EndsForGood


@kills("test_a_last_text_carried_by_the_stop_reaches_agents")
class DropsTheLastText(ReferenceProvider):
    """Closes the ticket without a word."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        await super().close_ticket(request.model_copy(update={"message": None}))


@kills("test_a_last_text_sent_before_the_stop_reaches_agents")
class SendsNothingOfTheSystems(ReferenceProvider):
    """Takes what the framework says for something nobody needs."""

    info = declaring(stop_message=False)

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        if request.author.role is hitl.Role.SYSTEM:
            return hitl.SentMessage()
        return await super().add_message(request)


@kills("test_a_last_text_is_not_shown_to_the_customer")
class SaysItInPublic(ReferenceProvider):
    """Writes the last text where the customer sees it."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        if request.message:
            body = {"text": request.message, "role": "system", "public": True}
            await self._call("stop_hitl", "POST", f"tickets/{request.session.id}/messages", json=body)
        await super().close_ticket(request.model_copy(update={"message": None}))


@kills("test_a_last_text_for_an_ended_session_does_no_harm")
class OpensItToSpeak(Looking):
    """Opens a closed ticket again for its last text."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        ticket, _ = await self.looked(request)
        await super().close_ticket(request)
        if request.message and ticket["status"] == "closed":
            body = {"text": request.message, "role": "system", "public": False, "reopen": True}
            await self._call("stop_hitl", "POST", f"tickets/{request.session.id}/messages", json=body)


@kills("test_a_stop_whose_answer_is_lost_ends_the_session_once")
class KnowsBetter(ReferenceProvider):
    """Says that nothing was done where nobody knows."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        try:
            await self._call("stop_hitl", "POST", f"tickets/{request.session.id}/close", json={})
        except hitl.AmbiguousOutcomeError as error:
            raise hitl.ProviderUnavailableError(error.message) from error


@kills("test_a_stop_whose_answer_is_lost_ends_the_session_once")
class SaysItTwice(ReferenceProvider):
    """Repeats a message that may have arrived."""

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        if request.message:
            body = {"text": request.message, "role": "system", "public": False}
            path = f"tickets/{request.session.id}/messages"
            await self._call("stop_hitl", "POST", path, json=body, repeatable=True)
        await super().close_ticket(request.model_copy(update={"message": None}))


@kills("test_a_stop_without_an_answer_is_repeated_where_that_is_harmless")
class StopsWithoutAKey(ReferenceProvider):
    """Declares that a stop may be repeated, and does not tell the transport."""

    info = declaring(idempotent=frozenset({"start_hitl", "stop_hitl"}))

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        await self._call("stop_hitl", "POST", f"tickets/{request.session.id}/close", json={"text": request.message})


@kills("test_a_stop_ends_no_other_session_of_the_customer")
class EndsEverything(ReferenceProvider):
    """Closes every ticket it has opened."""

    def __init__(self, ctx):
        super().__init__(ctx)
        self.opened = []

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        started = await super().create_ticket(request)
        self.opened.append(started.session)
        return started

    @hitl.hookimpl(specname="stop_hitl")
    async def close_ticket(self, request):
        for session in self.opened:
            await super().close_ticket(request.model_copy(update={"session": session}))
