"""A plan decides everything before anything is sent; steps, stops and deadlines keep to it."""

from datetime import UTC, datetime

import pytest

import hitl_core as hitl
from hitl_core.connect import connect_class
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider

pytestmark = pytest.mark.anyio

USER = hitl.ExternalUser(id="u1")


@pytest.fixture
def helpdesk():
    return MemoryHelpdesk()


@pytest.fixture
async def connection(helpdesk):
    async with connect_class(MemoryProvider, helpdesk=helpdesk) as connection:
        yield connection


class Modest(MemoryProvider):
    """An account that can only do what every account can."""

    @hitl.hookimpl
    async def open(self):
        limits = hitl.Limits(text=hitl.TextLimit(max=100), attachment_bytes=10)
        return hitl.AccountProfile(capabilities=hitl.Capabilities(internal_notes=True), limits=limits, account="acme")


class InSteps(MemoryProvider):
    """A vendor whose start needs three writes."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        self._desk.calls.append(request.key)
        if request.step < 2:
            return hitl.StartedSession(resume={"step": request.step})
        assert request.resume == {"step": 1}
        self._desk.stumble("before")
        return await super().create_ticket(request)


async def test_a_blank_title_is_refused(connection):
    with pytest.raises(hitl.InvalidRequestError, match="needs a title"):
        connection.plan_start(user=USER, title="  ")


async def test_a_long_title_is_cut_with_an_ellipsis(connection):
    plan = connection.plan_start(user=USER, title="word " * 50)
    assert len(plan.request.title) <= 100
    assert plan.request.title.endswith("…")


async def test_a_description_beyond_the_opening_is_refused_with_the_limit(connection):
    with pytest.raises(hitl.InvalidRequestError, match="longer than the 2000 characters Memory takes"):
        connection.plan_start(user=USER, title="T", description="x" * 2001)


async def test_options_may_be_given_as_the_providers_own_model(connection):
    plan = connection.plan_start(user=USER, title="T", options=hitl.StartOptions(priority="high"))
    assert plan.request.options == {"priority": "high"}


async def test_a_start_in_steps_has_a_key_for_each_and_hands_its_state_on(helpdesk):
    async with connect_class(InSteps, helpdesk=helpdesk) as connection:
        session = await connection.start_hitl(user=USER, title="T", idempotency_key="k")
    assert helpdesk.calls[:3] == ["k/0", "k/0.1", "k/0.2"]
    assert session.id == "t1"


async def test_a_start_that_fails_between_its_steps_says_where_to_go_on(helpdesk):
    helpdesk.fail("before", hitl.ProviderUnavailableError("down"))
    async with connect_class(InSteps, helpdesk=helpdesk) as connection:
        with pytest.raises(hitl.ProviderUnavailableError) as caught:
            await connection.start_hitl(user=USER, title="T", idempotency_key="k")
        assert (caught.value.session, caught.value.resume) == (None, {"step": 1})
        plan = connection.plan_start(user=USER, title="T", idempotency_key="k")
        started = await connection.begin(plan, resume=caught.value.resume, step=2)
    assert started.session.id == "t1"


async def test_a_start_without_session_and_resume_is_the_providers_fault(helpdesk):
    class Forgetful(MemoryProvider):
        @hitl.hookimpl(specname="start_hitl")
        async def create_ticket(self, request):
            return hitl.StartedSession()

    async with connect_class(Forgetful, helpdesk=helpdesk) as connection:
        with pytest.raises(hitl.ProviderError, match="without saying which"):
            await connection.start_hitl(user=USER, title="T")


async def test_f18_where_a_stop_carries_no_text_a_note_goes_before_it(helpdesk):
    async with connect_class(Modest, helpdesk=helpdesk) as connection:
        session = await connection.start_hitl(user=USER, title="T")
        await connection.stop_hitl(session, message="the user left", idempotency_key="s")
        ticket = helpdesk.tickets[session.id]
        (note,) = ticket.sent
        assert (note.visibility, note.author.role, note.message.text) == ("internal", "system", "the user left")
        assert (note.key, ticket.open) == ("s/0", False)
        await connection.stop_hitl(session, message="again")
    assert len(ticket.sent) == 1


async def test_where_it_does_the_text_goes_with_the_stop(connection):
    session = hitl.SessionRef(connection=connection.key, id="t1")
    before, stop = connection.plan_stop(session, "timeout", message="bye", idempotency_key="s")
    assert before == ()
    assert (stop.message, stop.reason, stop.key) == ("bye", hitl.StopReason.TIMEOUT, "s/stop")


async def test_a_file_beyond_the_limit_is_refused_also_inside_a_bloc(helpdesk):
    async with connect_class(Modest, helpdesk=helpdesk) as connection:
        session = hitl.SessionRef(connection=connection.key, id="t1")
        image = hitl.Image(url="https://files.test/a.png", size=11)
        for message in (image, hitl.Bloc(items=(hitl.Text(text="look"), image))):
            with pytest.raises(hitl.InvalidRequestError, match="image has 11 bytes, more than the 10"):
                connection.plan_message(session, message)


async def test_what_the_account_cannot_show_is_lowered_to_text(helpdesk):
    async with connect_class(Modest, helpdesk=helpdesk) as connection:
        session = hitl.SessionRef(connection=connection.key, id="t1")
        choice = hitl.Choice(text="Which?", options=(hitl.Option(label="A", value="a"),))
        (part,) = connection.plan_message(session, choice)
    assert part.message.type == "text"
    assert "Which?" in part.message.text


async def test_the_deadline_of_a_call_is_seen_by_the_provider_and_by_nobody_else(helpdesk):
    seen = []

    class Watching(MemoryProvider):
        @hitl.hookimpl
        async def create_user(self, request):
            seen.append(self._ctx.deadline)
            return hitl.ExternalUser(id="u1")

        @hitl.hookimpl(specname="send_message")
        async def add_message(self, request):
            seen.append(self._ctx.deadline)
            return hitl.SentMessage()

    deadline = datetime(2026, 11, 21, tzinfo=UTC)
    async with connect_class(Watching, helpdesk=helpdesk) as connection:
        await connection.send_message(hitl.SessionRef(connection=connection.key, id="t"), "a", deadline=deadline)
        await connection.create_user(external_id="u1")
    assert seen == [deadline, None]


async def test_a_delivery_of_another_account_is_refused(helpdesk):
    class Named(Modest):
        @hitl.hookimpl
        def verify_webhook(self, request):
            return hitl.WebhookDelivery.of(request, account=request.body.decode())

    async with connect_class(Named, helpdesk=helpdesk) as connection:
        assert connection.verify_webhook(headers={}, body=b"acme").account == "acme"
        with pytest.raises(hitl.WebhookVerificationError, match="from account 'umbrella'"):
            connection.verify_webhook(headers={}, body=b"umbrella")


async def test_deliveries_without_an_id_are_told_apart_by_when_they_came():
    requests = [
        hitl.WebhookRequest.of({}, b"look at 7", received_at=datetime(2026, 11, 21, 8, second, tzinfo=UTC))
        for second in (1, 2, 2)
    ]
    ids = [hitl.WebhookDelivery.of(request).id for request in requests]
    assert ids[0] != ids[1] == ids[2]


async def test_a_secret_registered_by_another_process_can_be_picked_up(helpdesk):
    state = hitl.MemoryState()
    delivery = helpdesk.deliver([])
    async with (
        connect_class(MemoryProvider, helpdesk=helpdesk, state=state) as one,
        connect_class(MemoryProvider, helpdesk=helpdesk, state=state) as other,
    ):
        await other.refresh_registration()
        await one.register_webhook("https://bot.test/hook")
        with pytest.raises(hitl.WebhookVerificationError):
            other.verify_webhook(headers=delivery.headers, body=delivery.body)
        await other.refresh_registration()
        assert other.verify_webhook(headers=delivery.headers, body=delivery.body)


async def test_a_damaged_registration_is_an_error_that_says_what_to_do(helpdesk):
    state = hitl.MemoryState()
    await state.put("webhook_registration", {"url": 7}, None)
    with pytest.raises(hitl.StoreError, match="register the webhook again"):
        await connect_class(MemoryProvider, helpdesk=helpdesk, state=state).open()


async def test_a_provider_that_cannot_start_is_named(helpdesk):
    class Broken(MemoryProvider):
        def __init__(self, ctx):
            raise ZeroDivisionError

    with pytest.raises(hitl.ProviderLoadError, match=r"'memory' of .* failed to start \(ZeroDivisionError\)"):
        connect_class(Broken, helpdesk=helpdesk)
