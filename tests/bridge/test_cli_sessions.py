"""`hitl sessions` beside a server: what is open, what happened, and ending one; nobody's words unless asked for."""

import asyncio
import json
import shlex
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hitl_core.bridge.engine.turns.loading import new_handoff
from hitl_core.bridge.handoff.effects import SendToDesk, TellCustomer, effect_key
from hitl_core.bridge.handoff.inputs import AgentEvent, StopRequested, TimerFired, UserMessage, parse_input
from hitl_core.bridge.handoff.records import EndReason, Handoff, Phase
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.inbox import input_row
from hitl_core.bridge.store.tables import conversations, handoffs, inputs, outbox, workers
from hitl_core.cli import run
from hitl_core.cli.sessions import end_handoff, print_tail
from hitl_core.errors import ConfigurationError
from hitl_core.events import AgentMessage, StopReason
from hitl_core.messages import Text
from hitl_core.people import Agent, Author, EndUser
from hitl_core.sessions import HitlSession, SessionRef

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ADA = Agent(id="a-7", name="Ada Lovelace")
SECRETS = ["Grace Hopper", "Ada Lovelace", "card 4111", "let me look", "refund of mine", "Nobody has answered"]


def handoff(name, conversation, *, ended=None, tenant="default", **more):
    return Handoff(
        id=name,
        conversation_id=conversation,
        connection=f"{tenant}/desk",
        key=f"key-{name}",
        phase=Phase.ENDED if ended else Phase.ACTIVE,
        user=EndUser(external_id="u-1", name="Grace Hopper"),
        agent=ADA,
        session=HitlSession(
            ref=SessionRef(connection=f"{tenant}/desk", id=f"t-{name}"),
            provider="desk",
            url=f"https://desk.example.com/{name}",
        ),
        started_at=NOON,
        ended_at=ended,
        end_reason=EndReason.AGENT_CLOSED if ended else None,
        timers={} if ended else {"maximum": NOON + timedelta(hours=4)},
        **more,
    )


async def save(conn, *records, tenant="default"):
    for record in records:
        await conn.execute(handoffs.insert(), {"tenant": tenant, **new_handoff(record)})
        speaker = record.owner.value
        values = {"tenant": tenant, "id": record.conversation_id, "handoff_id": record.id, "speaker": speaker}
        await conn.execute(conversations.insert(), {**values, "fence": 1})


def taken(conversation, key, input, *, seconds, handoff_id="h-1", state=1, outcome="applied"):
    at = NOON + timedelta(seconds=seconds)
    row = input_row("default", conversation, key, input, at)
    return row | {"handoff_id": handoff_id, "state": state, "outcome": outcome, "done_at": at if state else None}


def decided(effect, *, seconds, handoff_id="h-1", state=2, **more):
    at = NOON + timedelta(seconds=seconds)
    values = {
        "tenant": "default",
        "conversation_id": "c-1",
        "handoff_id": handoff_id,
        "connection": "default/desk" if effect.lane == "desk" else None,
        "key": effect.key,
        "lane": effect.lane,
        "kind": effect.kind,
        "state": state,
        "attempts": 1,
        "created_at": at,
        "done_at": at + timedelta(seconds=1) if state > 1 else None,
        "payload": effect.model_dump_json(),
    }
    return values | more


async def fill(store):
    one, two = handoff("h-1", "c-1"), handoff("h-2", "c-2", ended=NOON + timedelta(minutes=9))
    said = UserMessage(message_id="m-1", message=Text(text="my card 4111\nis lost"), author=Author.user())
    answered = AgentMessage(
        event_id="e-1", session=one.session.ref, message_id="v-1", agent=ADA, message=Text(text="let me look")
    )
    due = TimerFired(handoff_id="h-1", name="agent_silence", due=NOON)
    late = UserMessage(message_id="m-2", message=Text(text="a refund of mine"), author=Author.user())
    own = TellCustomer(key="h-1:told", message=Text(text="Nobody has answered"), sender=Author.system())
    passed = TellCustomer(
        key=effect_key("h-1", "agent", "e-1"), message=Text(text="let me look"), sender=Author.agent(ADA)
    )
    relayed = SendToDesk(key="h-1:m-1", session=one.session, message=said.message, author=Author.user())
    async with store.write() as conn:
        await save(conn, one, two)
        await save(conn, handoff("h-9", "c-9", tenant="acme"), tenant="acme")
        await conn.execute(inputs.insert(), [
            taken("c-1", "user:c-1:m-1", said, seconds=1),
            taken("c-1", "event:default/desk:e-1", AgentEvent(event=answered), seconds=2),
            taken("c-1", "timer:h-1:agent_silence", due, seconds=3, outcome="ignored: answered"),
            taken("c-1", "user:c-1:m-2", late, seconds=4, handoff_id=None, state=0, outcome=None),
        ])  # fmt: skip
        rows = [
            decided(relayed, seconds=1, state=3, attempts=4, failure="refused", detail="status 422"),
            decided(passed, seconds=2),
            decided(own, seconds=3, state=0),
        ]
        await conn.execute(outbox.insert(), [{"failure": None, "detail": None} | row for row in rows])


@pytest.fixture
def hitl(database_url, capsys):
    """Run `hitl` on a filled database; give code, stdout and stderr."""

    async def make():
        async with Store(database_url) as store:
            await fill(store)

    asyncio.run(make())

    def call(command, url=database_url):
        code = run([*shlex.split(command), "--db", url])
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


# Looking ------------------------------------------------------------------------------------------------------------


def test_list_shows_what_is_open_in_a_table(hitl):
    code, out, err = hitl("sessions list")
    assert code == 0
    assert err == ""
    heads, row = [line.split() for line in out.splitlines()]
    assert heads == ["ID", "CONVERSATION", "CONNECTION", "TICKET", "PHASE", "OWNER", "AGENT", "STARTED"]
    assert row == ["h-1", "c-1", "desk", "t-h-1", "active", "human", "a-7", "2026-03-01T12:00:00Z"]


def test_list_all_shows_what_has_ended_behind_it_and_why(hitl):
    _, out, _ = hitl("sessions list --all")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0][-2:] == ["ENDED", "REASON"]
    assert [(line[0], line[-2], line[-1]) for line in lines[1:]] == [
        ("h-1", "-", "-"),
        ("h-2", "2026-03-01T12:09:00Z", "agent_closed"),
    ]


def test_list_json_is_a_line_for_each_with_whole_keys(hitl):
    _, out, _ = hitl("sessions list --all --json")
    first, second = [json.loads(line) for line in out.splitlines()]
    assert first["connection"] == "default/desk"
    assert first["url"] == "https://desk.example.com/h-1"
    assert first["started_at"] == "2026-03-01T12:00:00+00:00"
    assert first["timers"] == {"maximum": "2026-03-01T16:00:00Z"}
    assert (second["id"], second["end_reason"]) == ("h-2", "agent_closed")


@pytest.mark.parametrize(
    ("command", "ids"),
    [
        ("sessions list --tenant acme", ["h-9"]),
        ("sessions list --connection desk", ["h-1"]),
        ("sessions list --tenant nobody", []),
        ("sessions list --all --limit 1", ["h-1"]),
    ],
)
def test_f32_list_keeps_to_a_tenant_a_connection_and_a_limit(hitl, command, ids):
    code, out, err = hitl(command)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == ids
    assert ids or "No hand-off is open." in err


@pytest.mark.parametrize("more", ["", " --all", " --json"])
def test_list_of_a_connection_nobody_knows_says_so_and_where_the_names_are(hitl, more):
    code, out, err = hitl(f"sessions list --connection 'ds\x1b[31mek'{more}")
    assert (code, out) == (0, "")
    assert "No hand-off was ever on a connection 'ds" in err
    assert "hitl sessions list --all" in err
    assert "\x1b" not in err
    assert len(err.splitlines()) == 1


def test_list_of_a_connection_whose_hand_offs_have_all_ended_says_that_none_is_open(hitl, database_url):
    async def end():
        async with Store(database_url) as store, store.write() as conn:
            await conn.execute(sa.update(handoffs).where(handoffs.c.id == "h-1").values(open=False, ended_at=NOON))

    asyncio.run(end())
    assert hitl("sessions list --connection desk") == (0, "", "No hand-off is open.\n")


def test_show_tells_facts_and_what_happened_in_order(hitl):
    for name in ("h-1", "c-1"):
        code, out, _ = hitl(f"sessions show {name}")
        assert code == 0
        facts, _, table = out.partition("\n\n")
        assert "ticket        t-h-1\n" in facts
        assert "maximum due   2026-03-01T16:00:00Z" in facts
        assert "ended" not in facts
        told = [line.split("  ") for line in table.splitlines()[1:]]
        assert [line[1] for line in told] == [
            "user_message text", "send_to_desk", "agent_event agent_message", "tell_customer",
            "timer_fired agent_silence", "tell_customer",
        ]  # fmt: skip
        assert "failed, 4 tries" in table
        assert "refused: status 422" in table
        assert "ignored: answered" in table


@pytest.mark.parametrize(
    "command", ["sessions list --all", "sessions list --all --json", "sessions show h-1", "sessions show h-1 --json",
                "sessions tail", "sessions tail --json", "sessions tail c-1"],
)  # fmt: skip
def test_nobody_s_words_or_names_are_shown_unless_asked_for(hitl, command):
    _, out, err = hitl(command)
    assert out
    assert [words for words in SECRETS if words in out + err] == []


def test_show_transcript_tells_what_was_said_each_once(hitl):
    _, out, _ = hitl("sessions show h-1 --transcript")
    assert out.split("\n\n")[2].splitlines() == [
        "2026-03-01T12:00:01Z  customer: my card 4111",
        "2026-03-01T12:00:01Z  customer: is lost",
        "2026-03-01T12:00:03Z  agent: let me look",
        "2026-03-01T12:00:03Z  system: Nobody has answered",
    ]
    _, out, _ = hitl("sessions show h-1 --transcript --json")
    happened = json.loads(out)["happenings"]
    assert [one["words"] for one in happened if one["words"]] == [
        "my card 4111\nis lost", "let me look", "Nobody has answered"
    ]  # fmt: skip


def test_show_transcript_is_in_the_order_in_which_the_customer_saw_it(hitl, database_url):
    async def write():
        ref = handoff("h-1", "c-1").session.ref
        answer = AgentMessage(event_id="e-2", session=ref, message_id="v-2", agent=ADA, message=Text(text="hello"))
        missed = AgentMessage(event_id="e-3", session=ref, message_id="v-3", agent=ADA, message=Text(text="not yet"))
        said = UserMessage(message_id="m-5", message=Text(text="and then"), author=Author.user())
        joined = TellCustomer(key="h-1:joined", message=Text(text="Ada has joined"), sender=Author.system())
        passed = TellCustomer(key=effect_key("h-1", "agent", "e-2"), message=answer.message, sender=Author.agent(ADA))
        waits = TellCustomer(key=effect_key("h-1", "agent", "e-3"), message=missed.message, sender=Author.agent(ADA))
        async with Store(database_url) as store, store.write() as conn:
            await conn.execute(inputs.insert(), [
                taken("c-1", "event:default/desk:e-2", AgentEvent(event=answer), seconds=20),
                taken("c-1", "event:default/desk:e-3", AgentEvent(event=missed), seconds=21),
                taken("c-1", "user:c-1:m-5", said, seconds=25),
            ])  # fmt: skip
            rows = [
                decided(joined, seconds=20),
                decided(passed, seconds=20),
                decided(waits, seconds=21, state=0),
            ]
            await conn.execute(outbox.insert(), rows)

    asyncio.run(write())
    _, out, _ = hitl("sessions show h-1 --transcript")
    assert [line.partition("  ")[2] for line in out.split("\n\n")[2].splitlines()] == [
        "customer: my card 4111", "customer: is lost", "agent: let me look",
        "system: Ada has joined", "agent: hello", "customer: and then",
        "system: Nobody has answered", "agent: not yet",
    ]  # fmt: skip


def test_show_of_what_nobody_knows_is_a_sentence(hitl):
    code, out, err = hitl("sessions show 'h-\x1b[31m3'")
    assert (code, out) == (2, "")
    assert "\x1b" not in err
    assert "no hand-off and no conversation" in err
    assert "hitl sessions list --all" in err
    assert hitl("sessions show h-9")[0] == 2, "another tenant's"


def test_tail_tells_what_happened_last_also_what_still_waits(hitl):
    _, out, _ = hitl("sessions tail -n 2")
    assert out.splitlines() == [
        "2026-03-01T12:00:03Z  c-1  tell_customer  waiting",
        "2026-03-01T12:00:04Z  c-1  user_message text  open",
    ]
    _, of_conversation, _ = hitl("sessions tail c-1")
    assert len(of_conversation.splitlines()) == 7
    _, of_handoff, _ = hitl("sessions tail h-1")
    assert len(of_handoff.splitlines()) == 6, "what waits is not the hand-off's yet"
    assert hitl("sessions tail h-1 -n 0")[1] == ""


def test_tail_words_keeps_a_terminal_safe_from_what_customers_write(hitl, database_url):
    async def write():
        async with Store(database_url) as store, store.write() as conn:
            evil = UserMessage(message_id="m", message=Text(text="\x1b]0;owned\x07 \u202ehi"), author=Author.user())
            await conn.execute(inputs.insert(), [taken("c-1", "user:c-1:m", evil, seconds=9)])

    asyncio.run(write())
    _, out, _ = hitl("sessions tail -n 1 --words")
    assert out.splitlines()[1] == "2026-03-01T12:00:09Z  customer: \ufffd]0;owned\ufffd \ufffdhi"


def test_a_record_of_a_newer_version_is_shown_as_well(hitl, database_url):
    async def write():
        async with Store(database_url) as store, store.write() as conn:
            newer = json.dumps({"phase": "dreaming", "owner": "robot", "session": None})
            await conn.execute(sa.update(handoffs).where(handoffs.c.id == "h-1").values(record=newer, phase="dreaming"))
            payload = json.dumps({"message": {"type": "text"}})
            await conn.execute(sa.update(inputs).where(inputs.c.key == "user:c-1:m-1").values(payload=payload))

    asyncio.run(write())
    _, out, _ = hitl("sessions list")
    assert "dreaming  robot" in out
    _, out, _ = hitl("sessions show h-1 --transcript")
    assert "customer: (a message of a form this version does not know)" in out


class Ticking:
    """A clock whose waits pass at once, and do something meanwhile."""

    def __init__(self, meanwhile=None):
        self.passed = 0.0
        self._meanwhile = meanwhile

    def now(self):
        return NOON + timedelta(seconds=self.passed)

    def monotonic(self):
        return self.passed

    async def sleep(self, seconds):
        self.passed += seconds
        if self._meanwhile is not None:
            await self._meanwhile()


@pytest.mark.anyio
async def test_tail_follow_shows_what_comes_and_once_more_what_is_settled(database_url, capsys):
    printed = []

    async def meanwhile():
        printed.append(capsys.readouterr().out.splitlines())
        if len(printed) == 1:
            i, one = inputs.c, UserMessage(message_id="m-3", message=Text(text="hello?"), author=Author.user())
            async with store.write() as conn:
                await conn.execute(
                    inputs.update()
                    .where(i.key == "user:c-1:m-2")
                    .values(state=1, outcome="applied", handoff_id="h-1", done_at=NOON + timedelta(seconds=30))
                )
                await conn.execute(
                    inputs.insert(), [taken("c-1", "user:c-1:m-3", one, seconds=31, state=0, outcome=None)]
                )
        if len(printed) == 3:
            raise asyncio.CancelledError

    clock = Ticking(meanwhile)
    async with Store(database_url, clock=clock) as store:
        await fill(store)
        with pytest.raises(asyncio.CancelledError):
            await print_tail(store, "default", "c-1", lines=1, follow=True, words=False, as_json=False)
    assert printed == [
        ["2026-03-01T12:00:04Z  c-1  user_message text  open"],
        [
            "2026-03-01T12:00:30Z  c-1  user_message text  done: applied",
            "2026-03-01T12:00:31Z  c-1  user_message text  open",
        ],
        [],
    ]
    assert clock.passed == 3


# Ending -------------------------------------------------------------------------------------------------------------


async def server(store, *, outcome="applied", ends=True):
    """Do what a server does about the command: decide it and write what came of it."""
    i = inputs.c
    async with store.write() as conn:
        row = (await conn.execute(sa.select(inputs).where(i.kind == "stop_requested", i.state == 0))).one_or_none()
        if row is None:
            return
        await conn.execute(inputs.update().where(i.position == row.position).values(state=1, outcome=outcome))
        if ends:
            h = handoffs.c
            values = {"open": False, "ended_at": NOON, "end_reason": "stop_requested", "phase": "ended"}
            await conn.execute(handoffs.update().where(h.id == "h-1").values(values))


async def beat(store):
    async with store.write() as conn:
        now = await store.now(conn)
        await conn.execute(workers.insert(), {"id": "w-1", "started_at": now, "seen_at": now})


async def command_of(store):
    async with store.read() as conn:
        rows = (await conn.execute(sa.select(inputs).where(inputs.c.kind == "stop_requested"))).all()
    return [(row.tenant, row.conversation_id, row.key.partition(":")[0], parse_input(row.payload)) for row in rows]


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["h-1", "c-1"])
async def test_s103_end_asks_the_server_waits_for_it_and_says_what_came_of_it(database_url, capsys, name):
    clock = Ticking(lambda: server(store))
    async with Store(database_url, clock=clock) as store:
        await fill(store)
        assert await end_handoff(store, "default", name, StopReason.TIMEOUT, close=False, wait=10)
        stop = StopRequested(reason=StopReason.TIMEOUT, close=False, tell=True, flow=True)
        assert await command_of(store) == [("default", "c-1", "command", stop)]
    assert "It has ended: stop_requested." in capsys.readouterr().err
    assert clock.passed == pytest.approx(0.1)


@pytest.mark.anyio
async def test_end_says_when_no_server_runs_and_what_it_asked_for_stays(database_url, capsys):
    clock = Ticking()
    async with Store(database_url, clock=clock) as store:
        await fill(store)
        assert not await end_handoff(store, "default", "h-1", StopReason.BOT_RESOLVED, close=True, wait=2)
        assert len(await command_of(store)) == 1
    assert clock.passed == pytest.approx(2, abs=0.2)
    assert "No server works on this database now; it is ended as soon as one runs." in capsys.readouterr().err


@pytest.mark.anyio
async def test_end_says_when_a_server_runs_and_has_not_done_it_yet(database_url, capsys):
    async with Store(database_url, clock=Ticking()) as store:
        await fill(store)
        await beat(store)
        assert not await end_handoff(store, "default", "h-1", StopReason.BOT_RESOLVED, close=True, wait=2)
    err = capsys.readouterr().err
    assert "No server" not in err
    assert "It was not ended within 2 s; the server has it on its list." in err


@pytest.mark.anyio
async def test_end_says_why_a_hand_off_goes_on(database_url, capsys):
    clock = Ticking(lambda: server(store, outcome="ignored: too late", ends=False))
    async with Store(database_url, clock=clock) as store:
        await fill(store)
        assert not await end_handoff(store, "default", "h-1", StopReason.BOT_RESOLVED, close=True, wait=2)
    assert "It goes on: ignored: too late." in capsys.readouterr().err


@pytest.mark.anyio
async def test_s101_end_of_what_has_ended_does_nothing(database_url, capsys):
    async with Store(database_url, clock=Ticking()) as store:
        await fill(store)
        assert await end_handoff(store, "default", "c-2", StopReason.BOT_RESOLVED, close=True, wait=2)
        assert await command_of(store) == []
        with pytest.raises(ConfigurationError, match="no hand-off and no conversation"):
            await end_handoff(store, "acme", "c-2", StopReason.BOT_RESOLVED, close=True, wait=2)
    assert "It has ended already: agent_closed, at 2026-03-01T12:09:00Z." in capsys.readouterr().err


def test_end_from_the_command_line(hitl):
    code, out, err = hitl("sessions end h-1 --wait 0")
    assert (code, out) == (1, "")
    assert "No server works on this database" in err
    assert hitl("sessions end h-2")[0] == 0
    assert hitl("sessions end h-1 --reason bored")[0] == 2
