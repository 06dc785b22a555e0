"""What has to hold: always, and once everything has healed."""

import json
from collections import Counter, defaultdict
from datetime import UTC, datetime

_DONE, _FAILED = 2, 3
_SETTLED = {"obeyed", "failed", "unsupported"}
"""Ends of a customer's message after which nobody has to answer it any more."""


# Always -----------------------------------------------------------------------------------------------------------


def check_always(world):
    """Check what holds at every moment, in what is committed."""
    for row in world.rows(
        "SELECT c.id, c.speaker, h.record, h.open FROM hitl_conversations c"
        " LEFT JOIN hitl_handoffs h ON h.id = c.handoff_id"
    ):
        owner = json.loads(row["record"])["owner"] if row["record"] else "bot"
        assert row["speaker"] == owner, f"{row['id']} has two owners: {row['speaker']} and {owner}"
    for row in world.rows("SELECT conversation_id, count(*) AS n FROM hitl_handoffs WHERE open GROUP BY 1"):
        assert row["n"] == 1, f"{row['conversation_id']} has {row['n']} open hand-offs"
    for said in world.book.said:
        first = said.answers.index(True) if True in said.answers else len(said.answers)
        assert all(said.answers[first:]), f"{said.id} was taken in, and then not"
    for shown in world.channel.shown[world.channel.checked :]:
        if shown.what == "resume":
            [row] = world.rows("SELECT open FROM hitl_handoffs WHERE id = ?", shown.content.handoff_id)
            given_back = ":given_back:" in shown.key
            assert given_back or not row["open"], f"{shown.key}: given back before it ended"
    world.channel.checked = len(world.channel.shown)


# Once everything has healed ---------------------------------------------------------------------------------------


def check_settled(world):
    """Check what everything has come to."""
    check_always(world)
    at_end = Settled(world)
    at_end.nothing_is_open()
    at_end.letters_have_reasons()
    at_end.customers_words()
    at_end.order_in_the_helpdesk()
    at_end.order_in_the_channel()
    at_end.agents_words()
    at_end.one_ticket_each()
    at_end.given_back()
    at_end.timers()


class Settled:
    """The rows of a bridge at rest, and the world beside them."""

    def __init__(self, world):
        self.world = world
        rows = world.rows
        self.handoffs = {row["id"]: row for row in rows("SELECT * FROM hitl_handoffs")}
        self.records = {id_: json.loads(row["record"]) for id_, row in self.handoffs.items()}
        self.effects = {row["key"]: row for row in rows("SELECT * FROM hitl_outbox ORDER BY position")}
        self.inputs = {row["key"]: row for row in rows("SELECT * FROM hitl_inputs ORDER BY position")}
        self.letters = rows("SELECT * FROM hitl_dead_letters ORDER BY position")
        self.dead = {row["key"] for row in self.letters}
        self.dead |= {key for key, row in self.effects.items() if row["merged_into"] in self.dead}
        self.links = {(row["connection"], row["session_id"]): row for row in rows("SELECT * FROM hitl_links")}
        self.shown = world.channel.shown
        self.keys = Counter(shown.key for shown in self.shown)

    # Nothing is left ------------------------------------------------------------------------------------------

    def nothing_is_open(self):
        for key, row in self.inputs.items():
            assert row["state"] != 0, f"input {key} is open"
            assert row["outcome"], f"input {key} ended without an outcome"
            assert row["state"] != 2 or key in self.dead, f"input {key} is dead without a letter"
        for key, row in self.effects.items():
            assert row["state"] >= _DONE, f"effect {key} is open"
            failed = row["state"] == _FAILED and row["failure"] != "closed"
            assert not failed or key in self.dead, f"effect {key} failed without a letter"
        for row in self.world.rows("SELECT * FROM hitl_conversations"):
            assert row["wake_at"] is None, f"{row['id']} is to be woken for nothing"

    def letters_have_reasons(self):
        for letter in self.letters:
            assert letter["detail"], f"letter {letter['key']} has no reason"
            assert letter["failure"], f"letter {letter['key']} is of no class"
            assert "unexpected" not in letter["detail"], f"letter {letter['key']}: {letter['detail']}"
            assert "deciding raised" not in letter["detail"], f"letter {letter['key']}: {letter['detail']}"
        if not self.world.troubled:
            letters = [tuple(letter) for letter in self.letters]
            assert not letters, f"letters although nothing went wrong: {letters}"

    def timers(self):
        now = self.world.clock.now()
        for row in self.world.rows("SELECT * FROM hitl_timers"):
            assert self.handoffs[row["handoff_id"]]["open"], f"timer {row['name']} of an ended hand-off"
            due = datetime.fromisoformat(row["due_at"]).replace(tzinfo=UTC)
            assert due > now, f"timer {row['name']} did not fire"

    # What customers said --------------------------------------------------------------------------------------

    def customers_words(self):
        arrived = self._arrived()
        returned = Counter(
            (shown.conversation, pending.message_id)
            for shown in self.shown
            if shown.what == "resume"
            for pending in shown.content.pending
        )
        for said in self.world.book.said:
            row = self.inputs.get(f"user:{said.conversation}:{said.id}")
            assert (row is not None) == (True in said.answers), f"{said.id}: taken in or not? {said.answers}"
            counts = [arrived[token] for token in said.tokens]
            assert max(counts, default=0) <= 1, f"{said.id} arrived {counts} times"
            back = returned[said.conversation, said.id]
            assert back <= 1, f"{said.id} was given back {back} times"
            if row is None:
                assert not back
                assert not any(counts), f"{said.id} was not taken in and arrived"
                continue
            told = None if back and said.kind == "end" else self._told(row, said)
            whole = bool(counts) and min(counts) == 1
            assert whole or back or told, f"{said.id} is lost: {tuple(row)}, in the helpdesk {counts}"
            assert not (back and told in _SETTLED), f"{said.id} was given back and is {told}"

    def _arrived(self):
        found = Counter()
        words = [
            word
            for desk in self.world.desks.values()
            for ticket in desk.everything.values()
            for text in desk.texts(ticket)
            for word in text.replace("txt", "").split()
        ]
        found.update(words)
        return found

    def _told(self, row, said):
        """Return how a message ended without arriving or being given back, if so."""
        if said.kind == "end" and row["outcome"] == "applied":
            return "obeyed"
        if row["state"] == 2:
            return "dead input"
        for key, effect in self.effects.items():
            _, what, *rest = key.split(":", 2)
            if rest != [said.id] or effect["conversation_id"] != said.conversation:
                continue
            settled = self.keys[key] == 1 or key in self.dead
            if what in {"failed", "unsupported"} and settled:
                return what
            if what.startswith("relay") and key in self.dead:
                return "dead letter"
            if what == "given_back" and key in self.dead:
                return "dead letter of what was to be given back"
        end = f"{row['handoff_id']}:resume"
        return "dead letter of the end" if end in self.dead else None

    def order_in_the_helpdesk(self):
        places = {
            said.tokens[0]: self.inputs[key]["position"]
            for said in self.world.book.said
            if said.tokens and (key := f"user:{said.conversation}:{said.id}") in self.inputs
        }
        for desk in self.world.desks.values():
            for ticket in desk.everything.values():
                words = [word for text in desk.texts(ticket) for word in text.replace("txt", "").split()]
                order = [places[word] for word in words if word in places]
                assert order == sorted(order), f"out of order in {ticket.id}: {order}"

    def order_in_the_channel(self):
        for key, times in self.keys.items():
            assert times == 1, f"{key} was shown {times} times"
        places = {key: row["position"] for key, row in self.effects.items()}
        lanes = defaultdict(list)
        for shown in self.shown:
            lanes[shown.conversation].append(places[shown.key])
        for conversation, order in lanes.items():
            assert order == sorted(order), f"out of order in {conversation}: {order}"

    # What agents said -----------------------------------------------------------------------------------------

    def agents_words(self):
        for reply in self.world.agents.replies:
            connection = f"default/{reply.desk}"
            link = self.links.get((connection, reply.ticket))
            if link is None:
                assert not self._outcomes(reply), f"{reply.token} is of nobody's ticket, and was shown"
                continue
            row = self.inputs.get(f"event:{connection}:{reply.event}")
            outcomes = self._outcomes(reply)
            if row is None:
                assert not outcomes
                assert not self._had_to_be_found(reply, link), f"{reply.token} in {reply.ticket} was never read"
                continue
            assert len(outcomes) == 1, f"{reply.token} came to {outcomes}: {tuple(row)}"

    def _outcomes(self, reply):
        found = []
        for key in self.effects:
            _, what, *rest = key.split(":", 2)
            if rest != [reply.event] or what not in {"agent", "notify", "late", "incompatible"}:
                continue
            if what in {"agent", "notify"}:
                assert self.keys[key] == 1 or key in self.dead, f"{key} was not shown"
            found.append(what)
        return found

    def _had_to_be_found(self, reply, link):
        """Whether a message nobody told of had to be read: it was written while the hand-off was open."""
        if reply.ticket in self.world.desks[reply.desk].deleted:
            return False
        return any(
            record["session"] and record["session"]["ref"]["id"] == reply.ticket and self._open_at(record, reply.at)
            for record in self.records.values()
        )

    @staticmethod
    def _open_at(record, at):
        ended = record["ended_at"]
        return ended is None or at < datetime.fromisoformat(ended)

    # Hand-offs and tickets ------------------------------------------------------------------------------------

    def one_ticket_each(self):
        titles = Counter(
            ticket.title for desk in self.world.desks.values() for ticket in desk.everything.values() if ticket.title
        )
        for start in self.world.book.starts:
            made = titles[f"Parcel {start.key}"]
            assert made <= 1, f"start {start.key} made {made} tickets"
        sessions = defaultdict(list)
        for id_, record in self.records.items():
            if record["session"]:
                ref = record["session"]["ref"]
                sessions[ref["connection"], ref["id"]].append(id_)
        for id_, record in self.records.items():
            if self.handoffs[id_]["open"]:
                self._has_its_ticket(id_, record)
        for desk in self.world.desks.values():
            for ticket in desk.sim.tickets.values():
                if ticket.status == "open" and ticket.id not in desk.foreign | desk.reopened:
                    self._is_wanted(desk, ticket, sessions[f"default/{desk.name}", ticket.id])

    def _has_its_ticket(self, id_, record):
        assert record["session"], f"hand-off {id_} is open and has no ticket"
        ref = record["session"]["ref"]
        desk = self.world.desks[ref["connection"].partition("/")[2]]
        ticket = desk.sim.tickets.get(ref["id"])
        assert ticket is not None, f"hand-off {id_} is open on a ticket that is gone"
        assert ticket.status == "open", f"hand-off {id_} is open on a ticket that is {ticket.status}"
        agent = record["agent"]["id"] if record["agent"] and record["phase"] == "active" else None
        shown = ticket.agent.id if ticket.agent else None
        assert agent == shown or (shown is None and record["agent_implied"]), f"{id_}: {agent} has it, not {shown}"

    def _is_wanted(self, desk, ticket, handoffs):
        if not handoffs:
            key = ticket.title.removeprefix("Parcel ")
            mine = [id_ for id_, row in self.handoffs.items() if row["key"] == key]
            assert any(self._excused(id_) for id_ in mine), f"ticket {ticket.id} is an orphan"
            return
        if any(self.handoffs[id_]["open"] for id_ in handoffs):
            return
        left = {self.records[id_]["end_reason"] for id_ in handoffs} & {"handed_back", "message_left"}
        assert left or any(self._excused(id_) for id_ in handoffs), f"ticket {ticket.id} was left open"

    def _excused(self, id_):
        """Whether a dead letter tells of what could not be done about a hand-off's ticket."""
        return any(
            letter["handoff_id"] == id_ and letter["kind"] in {"start_session", "stop_session", "watch_start"}
            for letter in self.letters
        )

    def given_back(self):
        for id_, row in self.handoffs.items():
            key = f"{id_}:resume"
            if row["open"]:
                assert not self.keys[key], f"hand-off {id_} is open and was given back"
            else:
                assert self.keys[key] == 1 or key in self.dead, f"hand-off {id_} was never given back"
