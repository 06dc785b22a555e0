"""What agents say, and which of them has the session (behaviour parts 7 and 9)."""

from __future__ import annotations

from datetime import datetime

from hitl_core.bridge.handoff import timing
from hitl_core.bridge.handoff.records import Phase
from hitl_core.bridge.handoff.step import Step
from hitl_core.events import AgentAssigned, AgentMessage, AgentUnassigned
from hitl_core.people import Agent

__all__ = ["agent_assigned", "agent_message", "agent_unassigned"]


# What they say ----------------------------------------------------------------------------------------------------


def agent_message(step: Step, event: AgentMessage) -> None:
    """Show an agent's message to the customer, who is told first who joined (S076-S083, R17).

    While the bot has paused the hand-off an agent who writes takes the conversation back: a customer with two who
    answer would have none to rely on, and the agent cannot see that they should wait.
    """
    handoff = step.handoff
    if event.message.type not in handoff.policy.customer_message_types:
        if step.tell_agent("incompatible", "on_incompatible_msg_type_message", id=event.event_id):
            step.learn()
        else:
            step.ignore("not showable")
        return
    if handoff.phase is Phase.ACTIVE and (handoff.agent is not None or event.agent is None):
        step.learn(answered=True, paused=False, timers=timing.after_agent_message(handoff, step.now))
    elif handoff.phase is Phase.WAITING and handoff.is_stale(event, handoff.agent_at):
        # Written before the session was given up: still theirs, and nobody has it.
        step.learn(answered=True, timers=timing.after_agent_message(handoff, step.now))
        _announce(step, event.agent)
    else:
        _assign(step, event.agent, event.occurred_at, implied=True)
        step.change(answered=True, timers=timing.after_agent_message(step.handoff, step.now))
    step.show(event)


# Who has it -------------------------------------------------------------------------------------------------------


def agent_assigned(step: Step, event: AgentAssigned) -> None:
    """Take in who has it now, unless something later is known (S089-S095)."""
    handoff = step.handoff
    if handoff.is_stale(event, handoff.agent_at):
        step.ignore("stale")
        return
    if handoff.phase is Phase.ACTIVE and handoff.agent is not None and handoff.agent.id == event.agent.id:
        # Nobody new: neither told again (S095, F09) nor the end of a pause; a name or picture may have changed (S144).
        step.learn(agent=event.agent, agent_implied=False, agent_at=event.occurred_at or handoff.agent_at)
    else:
        _assign(step, event.agent, event.occurred_at)
    step.notify(event)


def _assign(step: Step, agent: Agent | None, at: datetime | None, *, implied: bool = False) -> None:
    """Let this agent have it, and end a pause: somebody is there now (behaviour S090, S091, F09).

    :param agent: ``None`` for somebody the vendor does not name.
    :param implied: concluded from a message rather than told by the helpdesk.
    """
    handoff = step.handoff
    step.learn(
        phase=Phase.ACTIVE,
        paused=False,
        agent=agent or handoff.agent,
        agent_implied=implied,
        agent_at=at or handoff.agent_at,
        timers=timing.after_assignment(handoff, step.now, spoken=implied),
    )
    _announce(step, agent)


def _announce(step: Step, agent: Agent | None) -> None:
    """Tell the customer who joined, once for each change of agent (behaviour F09)."""
    handoff = step.handoff
    agent_id = agent.id if agent else ""
    if handoff.announced == agent_id or (agent is None and handoff.announced is not None):
        return
    number = handoff.announcements + 1
    step.change(announced=agent_id, announcements=number)
    step.tell("joined", "on_human_agent_assigned_message", id=number, agent=agent)


def agent_unassigned(step: Step, event: AgentUnassigned) -> None:
    """Put the customer back into the queue; never an agent without a name (F26)."""
    handoff = step.handoff
    if handoff.is_stale(event, handoff.agent_at):
        step.ignore("stale")
        return
    agent_at = event.occurred_at or handoff.agent_at
    if handoff.phase is Phase.ACTIVE:
        timers = timing.after_unassignment(handoff, step.now)
        step.learn(phase=Phase.WAITING, agent=None, agent_implied=False, agent_at=agent_at, timers=timers)
    else:
        step.learn(agent_at=agent_at)
    step.notify(event)
