"""Starting a hand-off to Zendesk messaging: order, ticket fields, and every step looked up (S252-S255)."""

import pytest
from hitl_zendesk.messaging.marks import MAX_METADATA

import hitl_core as hitl

pytestmark = pytest.mark.anyio

EVERYTHING = {
    "priority": "medium",
    "tags": ["vip", "shop"],
    "group_id": 1,
    "assignee_id": 2,
    "brand_id": 3,
    "organization_id": 4,
    "custom_fields": [{"id": 360001, "value": "blue"}, {"id": 360002, "value": 7}],
    "origin_source_type": "whatsapp",
    "metadata": {"campaign": "spring"},
}


def history(count=3):
    return [hitl.HistoryEntry.of(hitl.Author.bot("Robin"), f"entry-{number}") for number in range(count)]


async def test_s253_a_start_creates_takes_tells_hands_over_and_is_offered_control(scene):
    session = await scene.start(history=history(), relay="messages")
    steps = [path.rpartition("/")[2] for path in scene.asked("POST") if path.startswith("conversations")]
    assert steps == ["conversations", "passControl", *["messages"] * 4, "passControl", "offerControl"]
    found = scene.conversation(session)
    assert (found.active, found.pending) == ("zd-agentWorkspace", "hitl-bot")


async def test_s253_the_conversation_names_its_owner_and_our_id(scene):
    session = await scene.start(idempotency_key="k", external_id="chat-7")
    metadata = scene.conversation(session).metadata
    assert metadata == {"hitlOwner": scene.connection.key, "hitlKey": "k/0", "hitlExternalId": "chat-7"}


async def test_s252_s254_every_option_becomes_a_field_of_the_ticket(scene):
    session = await scene.start(options=EVERYTHING, history=history(), relay="messages")
    ticket = scene.conversation(session).ticket
    assert ticket.pop("first_message_id") == scene.conversation(session).messages[0]["id"]
    assert ticket == {
        "requester.name": "Grace Hopper",
        "requester.email": "grace@example.com",
        "priority": "normal",
        "tags": ["vip", "shop"],
        "group_id": "1",
        "assignee_id": "2",
        "brand_id": "3",
        "organization_id": "4",
        "custom_fields": {"360001": "blue", "360002": 7},
        "origin_source_type": "whatsapp",
        "campaign": "spring",
    }


async def test_s254_what_is_not_given_is_left_out(scene):
    session = await scene.start(user=await scene.user(email=None))
    assert set(scene.conversation(session).ticket) == {"requester.name", "first_message_id"}


async def test_s254_metadata_is_flat(scene):
    await scene.start(options=EVERYTHING)
    with pytest.raises(hitl.InvalidRequestError, match="metadata"):
        await scene.start(options={"metadata": {"nested": {"a": 1}}})


@pytest.mark.parametrize("tag", ["two words", "a,b", ""])
async def test_s252_a_tag_that_would_become_two_is_refused(scene, tag):
    with pytest.raises(hitl.InvalidRequestError, match="tags"):
        await scene.start(options={"tags": [tag]})


async def test_fields_beyond_4_kb_are_refused_before_anything_is_written(scene):
    user = await scene.user()
    before = len(scene.asked("POST"))
    with pytest.raises(hitl.InvalidRequestError, match=str(MAX_METADATA)) as refused:
        await scene.start(user=user, options={"metadata": {"long": "x" * MAX_METADATA}})
    assert "metadata" in refused.value.fields
    assert len(scene.asked("POST")) == before


async def test_f35_the_ticket_gets_the_name_zendesk_has(scene):
    await scene.user()
    session = await scene.start(user=await scene.user(name="Somebody Else", email="other@example.com"))
    ticket = scene.conversation(session).ticket
    assert (ticket["requester.name"], ticket["requester.email"]) == ("Grace Hopper", "grace@example.com")


async def test_s255_the_introduction_names_address_title_and_description(scene):
    session = await scene.start(title="Refund", description="The lamp is broken")
    assert scene.texts(session) == [
        "New conversation\n\nE-mail: grace@example.com\nTitle: Refund\nDescription: The lamp is broken"
    ]


async def test_s255_what_is_missing_has_a_placeholder(scene):
    session = await scene.start(user=await scene.user(email=None))
    assert scene.texts(session) == ["New conversation\n\nE-mail: none given\nTitle: Refund\nDescription: none given"]


async def test_s255_an_introduction_that_is_too_long_comes_in_parts(scene):
    session = await scene.start(title="t" * 5000, description="d" * 4096)
    texts = scene.texts(session)
    assert "".join(texts).count("t" * 100) >= 1
    assert texts[-1] == "d" * 4096
    assert all(len(text) <= 4096 for text in texts)


async def test_the_title_is_not_shown_to_customers(scene):
    session = await scene.start(title="angry customer")
    assert scene.conversation(session).display_name is None


async def test_s210_the_history_is_the_business_s_but_for_the_customers_own_words(scene):
    user = await scene.user()
    entries = [
        hitl.HistoryEntry.of(hitl.Author.user(user), "mine"),
        hitl.HistoryEntry.of(hitl.Author.bot("Robin"), "the bot's"),
        hitl.HistoryEntry.of(hitl.Author(role="user", id="another", name="Eve"), "another customer's"),
    ]
    session = await scene.start(user=user, history=entries, relay="messages")
    authors = [message["author"] for message in scene.conversation(session).messages[1:]]
    assert authors == [
        {"type": "user", "userId": user.id},
        {"type": "business", "displayName": "Robin"},
        {"type": "business", "displayName": "Eve"},
    ]


async def test_reading_begins_behind_the_opening(scene):
    plan = scene.connection.plan_start(user=await scene.user(), title="T", history=history(), relay="messages")
    started = await carried_out(scene, plan)
    page = await scene.connection.list_events(started.session, cursor=started.cursor)
    assert page.events == ()
    assert page.state.open


async def carried_out(scene, plan, resume=None, step=0):
    while True:
        started = await scene.connection.begin(plan, resume=resume, step=step)
        resume, step = started.resume, step + 1
        if resume is None:
            return started


# Crashes -----------------------------------------------------------------------------------------------------------


async def survived(scene, plan, crash):
    """Carry a start out; the process dies right after the write of one step, whose outcome is looked up."""
    resume, step, ids = None, 0, []
    while True:
        since = scene.moment()
        scene.clock.advance(1)
        started = await scene.connection.begin(plan, resume=resume, step=step)
        if step == crash:
            finding = await scene.connection.find_session(plan, sent_after=since, resume=resume, step=step)
            repeat = scene.connection.begin(plan, resume=resume, step=step)
            if isinstance(finding, hitl.Found):
                repeat.close()
                assert finding.started == started, "what is found is what the step had given"
            else:
                assert isinstance(finding, hitl.Absent), "what may be repeated is said to be absent"
                started = await repeat
        ids += started.ids
        resume, step = started.resume, step + 1
        if resume is None:
            return started, ids, step


@pytest.mark.parametrize("crash", range(8))
async def test_s253_a_start_that_dies_after_any_write_goes_on_without_a_double(scene, crash):
    plan = scene.connection.plan_start(
        user=await scene.user(), title="T", history=history(), relay="messages", options=EVERYTHING
    )
    started, ids, steps = await survived(scene, plan, crash)
    assert steps == 8
    assert len(scene.sim.records.conversations) == 1
    assert scene.texts(started.session)[1:] == ["entry-0", "entry-1", "entry-2"]
    assert ids == [message["id"] for message in scene.conversation(started.session).messages]
    assert scene.conversation(started.session).ticket["campaign"] == "spring"
    assert scene.conversation(started.session).pending == "hitl-bot"


@pytest.mark.parametrize("crash", range(8))
async def test_s253_a_step_that_was_never_taken_is_absent(scene, crash):
    plan = scene.connection.plan_start(user=await scene.user(), title="T", history=history(), relay="messages")
    resume = None
    for step in range(8):
        if step == crash:
            finding = await scene.connection.find_session(plan, sent_after=scene.moment(), resume=resume, step=step)
            assert isinstance(finding, hitl.Absent)
        resume = (await scene.connection.begin(plan, resume=resume, step=step)).resume


async def test_the_session_is_known_from_the_first_step_on(scene):
    """What was opened can be closed, whichever step fails."""
    plan = scene.connection.plan_start(user=await scene.user(), title="T")
    first = await scene.connection.begin(plan)
    assert first.session is not None
    second = await scene.connection.begin(plan, resume=first.resume, step=1)
    await scene.connection.stop_hitl(second.session)
    assert scene.conversation(second.session).active is None


async def test_a_start_of_another_version_says_so(scene):
    plan = scene.connection.plan_start(user=await scene.user(), title="T")
    with pytest.raises(hitl.InvalidRequestError, match="anew"):
        await scene.connection.begin(plan, resume={"conversation": "c", "do": "juggle"}, step=1)


async def test_an_integration_that_is_not_in_the_switchboard_is_named(scene):
    connection = await scene.connect(integration="nobody")
    plan = connection.plan_start(user=await scene.user(), title="T")
    first = await connection.begin(plan)
    with pytest.raises(hitl.NotFoundError, match="integration"):
        await connection.begin(plan, resume=first.resume, step=1)


# Both readings of what lists show -------------------------------------------------------------------------------------


async def test_a_start_is_found_where_lists_show_no_metadata(scenes):
    async with scenes(lists_metadata=False) as scene:
        plan = scene.connection.plan_start(user=await scene.user(), title="T")
        since = scene.moment()
        made = await scene.connection.begin(plan)
        finding = await scene.connection.find_session(plan, sent_after=since)
        assert isinstance(finding, hitl.Found)
        assert finding.started == made


async def test_where_nothing_shows_metadata_a_start_cannot_be_told(scene):
    plan = scene.connection.plan_start(user=await scene.user(), title="T")
    since = scene.moment()
    made = await scene.connection.begin(plan)
    scene.conversation(made.session).metadata.clear()
    finding = await scene.connection.find_session(plan, sent_after=since)
    assert isinstance(finding, hitl.Inconclusive)
    known = await scene.connection.find_session(plan, sent_after=since, known_ids=[made.session.id])
    assert isinstance(known, hitl.Absent), "what is accounted for is not in doubt"


async def test_where_nothing_shows_metadata_a_message_cannot_be_told(scene):
    session = await scene.start()
    since = scene.moment()
    (part,) = scene.connection.plan_message(session, "Is it there?", idempotency_key="k")
    await scene.connection.execute(part)
    del scene.conversation(session).messages[-1]["metadata"]
    assert isinstance(await scene.connection.find_message(part, sent_after=since), hitl.Inconclusive)
    (other,) = scene.connection.plan_message(session, "Something else", idempotency_key="o")
    assert isinstance(await scene.connection.find_message(other, sent_after=since), hitl.Absent)
