"""Mutants for who has a session, and whether it is open."""

import hitl_core as hitl

from .mutants_events import Retelling, but
from .mutation import kills


@kills("test_an_agent_who_reads_a_message_is_told")
class TakesReadingForArriving(Retelling):
    """Says that a message arrived when an agent has read it."""

    def told(self, event):
        arrived = isinstance(event, hitl.MessageStatus)
        return [but(event, status=hitl.DeliveryStatus.DELIVERED) if arrived else event]


@kills("test_an_agent_who_takes_a_session_is_told")
class TellsOfNoAssignment(Retelling):
    """Waits for the first reply to say who has a session."""

    def told(self, event):
        if isinstance(event, hitl.AgentAssigned):
            return [hitl.Ignored(event_id=event.event_id, session=event.session, reason="irrelevant")]
        return [event]


@kills("test_the_next_agent_is_told_as_well")
class TellsOfTheFirstAgent(Retelling):
    """Tells of the first assignment of each session."""

    def told(self, event):
        if not isinstance(event, hitl.AgentAssigned):
            return [event]
        self._first = getattr(self, "_first", {})
        return [but(event, agent=self._first.setdefault(event.session.id, event.agent))]


@kills("test_giving_a_session_back_is_no_assignment")
class AssignsNobody(Retelling):
    """Takes an empty assignee for an agent without a name."""

    def told(self, event):
        if isinstance(event, hitl.AgentUnassigned):
            return [hitl.AgentAssigned(event_id=event.event_id, session=event.session, agent=hitl.Agent(id="0"))]
        return [event]


@kills("test_who_takes_a_session_by_answering_is_told_before_the_answer")
class TellsTheAnswerFirst(Retelling):
    """Tells of a message before it says who has the session now."""

    def retold(self, events, request):
        return sorted(events, key=lambda event: isinstance(event, hitl.AgentAssigned))


@kills("test_an_agent_who_closes_a_session_ends_it")
class KnowsNoReason(Retelling):
    """Does not say who ended a session."""

    def told(self, event):
        return [but(event, reason=hitl.StopReason.UNKNOWN) if isinstance(event, hitl.SessionStopped) else event]


@kills("test_an_agent_who_solves_a_session_ends_it")
class WaitsForTheEnd(Retelling):
    """Takes a solved session for an open one."""

    def told(self, event):
        if isinstance(event, hitl.SessionStopped) and event.raw["type"] == "ticket.solved":
            return [hitl.Ignored(event_id=event.event_id, session=event.session, reason="irrelevant")]
        return [event]


@kills("test_the_last_words_come_before_the_end")
class EndsFirst(Retelling):
    """Tells of the end before the words that came with it."""

    def retold(self, events, request):
        return sorted(events, key=lambda event: not isinstance(event, hitl.SessionStopped))


@kills("test_a_session_opened_again_is_told")
class KnowsNoReopening(Retelling):
    """Has not heard of sessions that are opened again."""

    def told(self, event):
        if isinstance(event, hitl.SessionReopened):
            return [hitl.UnknownEvent(kind="reopened", event_id=event.event_id, session=event.session)]
        return [event]


@kills("test_an_end_of_ours_is_not_taken_for_the_agents")
class TakesOurEndForTheAgents(Retelling):
    """Takes every end for an agent's."""

    def told(self, event):
        if event.raw["type"] == "ticket.closed":
            reason = hitl.StopReason.AGENT_CLOSED
            return [hitl.SessionStopped(event_id=event.event_id, session=event.session, reason=reason)]
        return [event]
