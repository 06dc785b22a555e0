"""Quick messages of a customer sent as one (F38)."""

import asyncio

import pytest

from hitl_core.bridge.engine.jobs.merging import mergeable
from hitl_core.bridge.handoff.inputs import EffectDone
from hitl_core.info import RateLimit, TextLimit
from hitl_core.messages import (
    Audio,
    Bloc,
    Card,
    Carousel,
    Choice,
    Dropdown,
    File,
    Image,
    Location,
    Markdown,
    Option,
    Text,
    UnknownMessage,
    Video,
)
from hitl_core.people import Author, EndUser

from .jobsite import Desk, send, site

pytestmark = pytest.mark.anyio

URL = "https://files.example/a"
OPTION = Option(label="Yes", value="yes")
TOGETHER = [
    Text(text="hi"),
    Markdown(markdown="*hi*"),
    Image(url=URL),
    Audio(url=URL),
    Video(url=URL),
    File(url=URL),
    Location(latitude=59.3, longitude=18.1),
]
ALONE = [
    Bloc(items=(Text(text="hi"),)),
    Card(title="hi"),
    Carousel(items=(Card(title="hi"),)),
    Choice(text="well?", options=(OPTION,)),
    Dropdown(text="well?", options=(OPTION,)),
    UnknownMessage.model_validate({"type": "hologram"}),
]


def quick(session, *messages, **more):
    return [
        send(session, message, key=f"h1:user:m{number}", mergeable=True, **more)
        for number, message in enumerate(messages, 1)
    ]


@pytest.mark.parametrize("message", [*TOGETHER, *ALONE], ids=lambda message: message.type)
async def test_texts_media_and_places_can_be_sent_together_and_nothing_else_f38(message):
    session = Desk().open_ticket()
    assert mergeable(send(session, message, mergeable=True)) is (message in TOGETHER)
    assert not mergeable(send(session, message))
    assert not mergeable(send(session, message, mergeable=True, internal=True))


@pytest.mark.parametrize("asked", [False, True])
async def test_messages_are_merged_where_the_account_counts_updates_f38(asked):
    desk = Desk()
    desk.limited(updates=RateLimit(count=30, seconds=600) if asked else None)
    async with site(desk) as at:
        assert at.jobs.merges is asked
        assert at.jobs.mergeable(quick(desk.open_ticket(), "hi")[0])


async def test_several_quick_messages_are_one_write_under_a_key_of_their_own_f38():
    async with site() as at:
        effects = quick(at.desk.open_ticket(), "Hi", Image(url=URL), "Any news?")
        progress = at.jobs.plan_merged(effects)
        came = await at.run(effects[0], progress)
        assert (came.verdict, came.report) == ("done", EffectDone(key=effects[0].key))
        (sent,) = at.desk.tickets["t1"].sent
        assert sent.message == Bloc(items=tuple(effect.message for effect in effects))
        assert sent.key == "h1:user:m1+2/0"
        assert sent.author == effects[0].author


async def test_quick_texts_are_one_text_where_there_are_no_blocs_f38():
    desk = Desk()
    desk.may(message_types=frozenset({"text"}))
    async with site(desk) as at:
        effects = quick(desk.open_ticket(), "Hi", "Any news?")
        await at.run(effects[0], at.jobs.plan_merged(effects))
        assert desk.texts() == ["Hi\n\nAny news?"]


@pytest.mark.parametrize("when", ["before", "after"])
async def test_dying_with_several_messages_in_one_neither_loses_nor_doubles_them_f38(when):
    async with site() as at:
        effects = quick(at.desk.open_ticket(), "Hi", "Any news?")
        at.desk.fail(when, asyncio.CancelledError())
        assert (await at.run(effects[0], at.jobs.plan_merged(effects))).verdict == "done"
        assert len(at.desk.tickets["t1"].sent) == 1


async def test_one_message_alone_keeps_its_key():
    async with site() as at:
        (effect,) = quick(at.desk.open_ticket(), "Hi")
        assert at.jobs.plan_merged([effect]) == at.jobs.plan(effect)


async def test_messages_of_two_writers_two_sessions_or_for_agents_are_not_merged_f38():
    async with site() as at:
        session, other = at.desk.open_ticket(), at.desk.open_ticket()
        first, second = quick(session, "Hi", "Any news?")
        assert at.jobs.may_join(first, second)
        assert at.jobs.merge_count([first, second]) == 2
        strangers = [
            quick(other, "Hi")[0],
            quick(session, "Hi", author=Author.user(name="Bob"))[0],
            quick(session, "Hi", user=EndUser(external_id="u2"))[0],
            quick(session, "Hi", internal=True)[0],
            quick(session, ALONE[1])[0],
            send(session, "Hi"),
        ]
        for stranger in strangers:
            assert not at.jobs.may_join(first, stranger)
            assert at.jobs.merge_count([first, stranger, second]) == 1
            with pytest.raises(ValueError, match="cannot be sent as one"):
                at.jobs.plan_merged([first, stranger])
        assert at.jobs.merge_count([strangers[-1], second]) == 1
        with pytest.raises(ValueError, match="no message"):
            at.jobs.merge_count([])


async def test_no_more_are_merged_than_fit_f38():
    desk = Desk()
    desk.limited(text=TextLimit(max=20), attachments_per_message=2)
    async with site(desk) as at:
        session = desk.open_ticket()
        assert at.jobs.merge_count(quick(session, "12345678", "1234567890", "x")) == 2  # 8 + 2 + 10
        assert at.jobs.merge_count(quick(session, "123456789", "1234567890")) == 1
        assert at.jobs.merge_count(quick(session, "x" * 50, "y")) == 1
        pictures = [Image(url=URL), Image(url=URL), Text(text="and"), File(url=URL)]
        assert at.jobs.merge_count(quick(session, *pictures)) == 3
        fitting = quick(session, "12345678", "1234567890")
        assert len(at.jobs.plan_merged(fitting).parts) == 1


async def test_at_most_twenty_are_merged_f38():
    async with site() as at:
        assert at.jobs.merge_count(quick(at.desk.open_ticket(), *["x"] * 30)) == 20
