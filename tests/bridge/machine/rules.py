"""The whole bridge under random histories: every rule is something that happens, and nobody waits for its end."""

import sys
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from hitl_core.bridge.policy import Policy
from hitl_core.people import Author
from hitl_core.sessions import HistoryEntry
from hitl_core.testing.simulator.faults import Fault

from .book import CONVERSATIONS
from .checks import check_always, check_settled
from .diskstore import Disk
from .healing import heal
from .outside import ALL_AGENTS, PROVIDERS
from .steploop import StepLoop
from .world import DESKS, World

LIMITS = {
    "agent_assigned_timeout_seconds": 600,
    "first_answer_timeout_seconds": 300,
    "agent_silence_timeout_seconds": 300,
    "customer_silence_warning_seconds": 200,
    "customer_silence_timeout_seconds": 900,
    "maximum_duration_seconds": 7200,
}
POLICIES = (
    {},
    LIMITS,
    {"on_late_agent_message": "hand_over", "on_agent_silence": "end", **LIMITS},
    {"on_late_agent_message": "answer", "on_first_answer_timeout": "tell", **LIMITS},
    {"on_late_agent_message": "notify", "on_session_reopened": "notify", "use_human_agent_info": False},
)
CLOSED = {"business_hours": {"timezone": "UTC", "weekly": {"sun": ["03:00-03:30"]}}}
HISTORY = (HistoryEntry.of(Author.user(name="Ada"), "Where is it?"), HistoryEntry.of(Author.bot(), "On its way."))
LONG_HISTORY = tuple(HistoryEntry.of(Author.user(name="Ada"), f"{n} " + "word " * 150) for n in range(6))

PACE = st.one_of(st.none(), st.integers(0, 60))
RARELY = st.integers(0, 5).map(lambda number: number == 5)
USUALLY = st.integers(0, 3).map(lambda number: number < 3)
NUMBER = st.one_of(st.just(0), st.integers(0, 20))
CONVERSATION = st.sampled_from(["c1", "c1", *CONVERSATIONS])
AGENT = st.sampled_from(ALL_AGENTS)
KINDS = st.sampled_from(["text"] * 6 + ["long", "file", "end", "odd"])
TALKS = st.sampled_from(["reply", "reply", "reply_and_assign", "note", "edit"])
ACTS = st.sampled_from(["assign", "assign", "unassign", "close", "reply_and_close", "solve", "reopen", "reopen"])
STARTS = st.fixed_dictionaries(
    {"wait": st.sampled_from([0, 10]), "history": st.sampled_from([(), HISTORY, LONG_HISTORY])},
    optional={"connection": st.sampled_from(DESKS), "policy": st.sampled_from([None, None, None, CLOSED])},
)
FAULTS = st.builds(
    Fault,
    kind=st.sampled_from(["answer", "hang_before", "hang_after", "reset_before", "reset_after", "latency"]),
    times=st.integers(1, 3),
    method=st.sampled_from(["POST", "POST", "GET", None]),
    path=st.sampled_from(["/", "/tickets", "/customers"]),
    status=st.sampled_from([500, 503, 429, 403, 422]),
    headers=st.sampled_from([{}, {"retry-after": "7"}]),
    seconds=st.sampled_from([1, 20]),
)


class WholeBridge(RuleBasedStateMachine):
    """Customers, a bot, agents, helpdesks, a channel, time and death, around one bridge on one file."""

    template: Path
    loop: StepLoop
    disk: Disk
    count = 0

    def __init__(self):
        super().__init__()
        self.world = None

    @initialize(
        provider=st.sampled_from(["seeing", "seeing", *PROVIDERS]),
        policy=st.sampled_from(POLICIES),
        started=st.sampled_from([True, True, True, False]),
    )
    def begin(self, provider, policy, started):
        self.world = World(self.loop, self.disk, self.template, provider=provider, policy=Policy(**policy))
        self.world.go(None)
        if started:
            self.world.start(self.world.book.start("c1", {"wait": 0}))
            self.world.go(None)

    def done(self, pace):
        """End a rule: count it, go on a little, and look at what may never be otherwise."""
        type(self).count += 1
        self.world.go(pace)
        self.world.collect()
        check_always(self.world)

    # The customer ---------------------------------------------------------------------------------------------

    @rule(conversation=CONVERSATION, kind=KINDS, guest=RARELY, pace=PACE)
    def writes(self, conversation, kind, guest, pace):
        self.world.hand_in(self.world.book.message(conversation, kind, guest))
        self.done(pace)

    @rule(conversation=CONVERSATION, count=st.integers(2, 5), pace=PACE)
    def writes_quickly(self, conversation, count, pace):
        for _ in range(count):
            self.world.hand_in(self.world.book.message(conversation, "text", False))
        self.done(pace)

    @precondition(lambda self: self.world.book.said)
    @rule(number=NUMBER, pace=PACE)
    def message_comes_again(self, number, pace):
        said = self.world.book.said
        self.world.hand_in(said[-1 - number % len(said)])
        self.done(pace)

    # The bot --------------------------------------------------------------------------------------------------

    @rule(conversation=CONVERSATION, more=STARTS, pace=PACE)
    def starts(self, conversation, more, pace):
        self.world.start(self.world.book.start(conversation, more))
        self.done(pace)

    @precondition(lambda self: self.world.book.starts)
    @rule(number=NUMBER, pace=PACE)
    def start_comes_again(self, number, pace):
        starts = self.world.book.starts
        self.world.start(starts[-1 - number % len(starts)])
        self.done(pace)

    @rule(conversation=CONVERSATION, hand_over=st.booleans(), pace=PACE)
    def takes_a_turn(self, conversation, hand_over, pace):
        book = self.world.book
        said = book.message(conversation, "text", False)
        self.world.answer(said, book.start(conversation, {"wait": 0}, asked=False) if hand_over else None)
        self.done(pace)

    @precondition(lambda self: self.world.bridge is not None)
    @rule(
        conversation=CONVERSATION,
        what=st.sampled_from(["pause", "pause", "resume", "stop", "hand back", "reconcile"]),
        tell=st.booleans(),
        pace=PACE,
    )
    def commands(self, conversation, what, tell, pace):
        bridge = self.world.bridge
        match what:
            case "pause" | "resume":
                self.world.command(getattr(bridge, what)(conversation))
            case "reconcile":
                self.world.command(bridge.reconcile())
            case _:
                self.world.command(bridge.stop_hitl(conversation, close=what == "stop", tell=tell))
        self.done(pace)

    # Agents ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.tickets())
    @rule(number=NUMBER, what=TALKS, agent=AGENT, told=USUALLY, pace=PACE)
    def agent_talks(self, number, what, agent, told, pace):
        self.world.act(number, what, agent, told=told)
        self.done(pace)

    @precondition(lambda self: self.world.tickets())
    @rule(number=NUMBER, what=ACTS, agent=AGENT, told=USUALLY, pace=PACE)
    def agent_acts(self, number, what, agent, told, pace):
        self.world.act(number, what, agent, told=told)
        self.done(pace)

    @rule(desk=st.sampled_from(DESKS), number=NUMBER, delete=RARELY, pace=PACE)
    def something_happens_to_tickets(self, desk, number, delete, pace):
        world = self.world
        if not delete:
            world.desks[desk].foreign.add(world.loop.finish(world.desks[desk].sim.open_elsewhere("elsewhere")))
        elif tickets := world.tickets():
            name, ticket = tickets[number % len(tickets)]
            world.desks[name].delete(ticket)
        self.done(pace)

    # Webhooks -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.on_the_way)
    @rule(pace=PACE)
    def webhooks_arrive(self, pace):
        for delivery in list(self.world.on_the_way):
            self.world.deliver(delivery)
        self.done(pace)

    @precondition(lambda self: self.world.on_the_way)
    @rule(
        number=NUMBER,
        how=st.sampled_from(["once", "once", "twice", "lost", "forged body", "forged account", "forged signature"]),
        pace=PACE,
    )
    def webhook_arrives(self, number, how, pace):
        world = self.world
        delivery = world.on_the_way[number % len(world.on_the_way)]
        kind, _, forged = how.partition(" ")
        match kind:
            case "lost":
                world.on_the_way.remove(delivery)
            case "forged":
                world.deliver(delivery, forged=forged)
            case _:
                for _ in range(1 + (kind == "twice")):
                    world.deliver(delivery)
        self.done(pace)

    # Trouble --------------------------------------------------------------------------------------------------

    @rule(desk=st.sampled_from(["first", *DESKS]), fault=FAULTS, pace=PACE)
    def helpdesk_stumbles(self, desk, fault, pace):
        self.world.desks[desk].sim.faults.append(fault)
        self.world.troubled = True
        self.done(pace)

    @rule(
        what=st.sampled_from(["host", "disk", *DESKS]),
        how=st.sampled_from(["before", "after", "hang"]),
        times=st.integers(1, 3),
        skip=st.integers(0, 30),
        pace=PACE,
    )
    def something_breaks(self, what, how, times, skip, pace):
        world = self.world
        world.troubled = True
        match what:
            case "host":
                world.channel.troubles += [how] * times
            case "disk":
                world.disk.skip, world.disk.left, world.disk.unheard = skip, times, how == "after"
            case desk:
                world.desks[desk].down = not world.desks[desk].down
        self.done(pace)

    # Death and time -------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.process is not None)
    @rule(steps=st.integers(0, 150), again=USUALLY, pace=PACE)
    def crashes(self, steps, again, pace):
        self.world.go(steps)
        self.world.crash()
        if again:
            self.world.begin()
        self.done(pace)

    @precondition(lambda self: self.world.bridge is None)
    @rule(pace=PACE)
    def begins(self, pace):
        self.world.begin()
        self.done(pace)

    @rule(seconds=st.sampled_from([0.3, 1, 6, 30]), jump=st.sampled_from([0, 0, 0, 60, 310, 1000, 8000]), pace=PACE)
    def time_passes(self, seconds, jump, pace):
        if jump:
            self.world.loop.jump(jump)
        else:
            self.world.loop.spend(seconds)
        self.done(pace)

    @rule(lost=st.booleans(), really=RARELY)
    def everything_heals(self, lost, really):
        if really:
            heal(self.world, lost=lost)
            check_settled(self.world)
        self.done(None)

    # The end --------------------------------------------------------------------------------------------------

    def teardown(self):
        try:
            if self.world is not None and sys.exc_info()[0] is None:
                heal(self.world, lost=False)
                check_settled(self.world)
        finally:
            if self.world is not None:
                self.world.end()
