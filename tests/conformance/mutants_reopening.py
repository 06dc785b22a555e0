"""Mutants for the group ``reopening``."""

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator

from .mutation import kills
from .variants import AlwaysReopens, Bending, NeverReopens, SealingSimulator, changed, declaring

_ASKED = "test_a_message_to_an_ended_session_is_refused_unless_it_is_to_reopen_it"
_NEVER = "test_a_late_message_is_refused_where_nothing_reopens"
_FOR_GOOD = "test_a_message_to_a_session_closed_for_good_is_refused"


class _Uninvited(Bending):
    """Opens a closed ticket without being asked to."""

    def bend(self, body):
        body["reopen"] = True


@kills(_ASKED)
class ReopensUninvited(_Uninvited):
    """Opens a closed ticket again, asked to or not."""


@kills(_ASKED)
class CallsItInvalid(ReferenceProvider):
    """Takes a closed ticket for a mistake in the message."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        try:
            return await super().add_message(request)
        except hitl.SessionClosedError as error:
            raise hitl.InvalidRequestError(error.message) from error


class _Mute(ReferenceSimulator):
    """A helpdesk that takes messages to closed tickets without a word."""

    def set_status(self, ticket, status, *, actor):
        if status != "open" or actor["role"] != "bot":
            super().set_status(ticket, status, actor=actor)


@kills(_ASKED)
class DoesNotLookAtTheState(_Uninvited):
    """Does not look whether the ticket is closed, which this helpdesk does not tell."""

    simulator = _Mute


@kills("test_a_message_that_is_to_reopen_does_so")
class NeverAsksToReopen(ReferenceProvider):
    """Does not look at `reopen`."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        return await super().add_message(changed(request, reopen=False))


@kills("test_a_message_that_is_to_reopen_does_so")
class WritesWithoutReopening(_Uninvited):
    """Writes to the closed ticket and leaves it closed."""

    simulator = _Mute


@kills("test_asking_an_open_session_to_reopen_does_no_harm")
class ReopensWhatIsOpen(ReferenceProvider):
    """Takes an open ticket that is to be reopened for a mistake."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        ticket = await self._call("send_message", "GET", f"tickets/{request.session.id}")
        if request.reopen and ticket["status"] == "open":
            msg = "the ticket is open"
            raise hitl.ConflictError(msg)
        return await super().add_message(request)


@kills("test_a_late_message_reopens_where_every_message_does")
class SaysAlwaysAndMeansAsked(ReferenceProvider):
    """Declares that messages reopen, and leaves it to whoever asks."""

    info = AlwaysReopens.info


@kills("test_a_late_message_reopens_where_every_message_does")
class SaysAlwaysAndLeavesClosed(AlwaysReopens):
    """Declares that messages reopen, and the helpdesk takes them without doing so."""

    simulator = _Mute


@kills(_NEVER)
class SaysNeverAndDoes(AlwaysReopens):
    """Declares that nothing reopens, and does."""

    info = NeverReopens.info


@kills(_NEVER)
class SaysNeverAndDoesWhenAsked(ReferenceProvider):
    """Declares that nothing reopens, and does as asked."""

    info = declaring(reopen="never")


@kills(_FOR_GOOD)
class StartsAnew(ReferenceProvider):
    """Takes what is closed for good for a conflict."""

    simulator = SealingSimulator

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        try:
            return await super().add_message(request)
        except hitl.SessionClosedError as error:
            raise hitl.ConflictError(error.message) from error
