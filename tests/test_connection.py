"""A connection plans, sends, verifies and reads; what goes wrong comes out as one of our errors."""

from datetime import UTC, datetime

import pytest

import hitl_core as hitl
from hitl_core.connect import connect_class
from hitl_core.signatures import HmacScheme
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider

pytestmark = pytest.mark.anyio

ADA = hitl.Agent(id="a1", name="Ada")
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def helpdesk():
    return MemoryHelpdesk()


@pytest.fixture
async def connection(helpdesk):
    async with connect_class(MemoryProvider, helpdesk=helpdesk, webhook_secret=helpdesk.secret) as connection:
        yield connection


@pytest.fixture
async def session(connection):
    user = await connection.create_user(name="Grace", external_id="u1")
    return await connection.start_hitl(user=user, title="Refund", external_id="c1", idempotency_key="c1:1")


async def test_a_hand_off_from_start_to_stop(connection, helpdesk):
    user = await connection.create_user(name="Grace", external_id="u1")
    history = [hitl.HistoryEntry.of(hitl.Author.user(user), "My parcel is lost")]
    session = await connection.start_hitl(
        user=user, title="Parcel", description="Lost", history=history, external_id="c1", idempotency_key="c1:1"
    )
    await connection.send_message(session, "Any news?", author=hitl.Author.user(user), idempotency_key="m1")
    delivery = helpdesk.reply(session.id, "Found it", ADA)
    (event,) = await connection.parse_webhook(headers=delivery.headers, body=delivery.body)
    await connection.stop_hitl(session, reason="user_left")

    ticket = helpdesk.tickets[session.id]
    assert session.ref == hitl.SessionRef(connection="default/memory", id="t1")
    assert ticket.start.title == "Parcel"
    assert "My parcel is lost" in ticket.start.relay[0].text
    assert [(sent.message.text, sent.author.role, sent.key) for sent in ticket.sent] == [("Any news?", "user", "m1/0")]
    assert (event.kind, event.message.text, event.agent) == ("agent_message", "Found it", ADA)
    assert ticket.open is False


async def test_history_beyond_the_opening_follows_in_order_and_with_stable_keys(connection, helpdesk):
    user = await connection.create_user(external_id="u1")
    history = [hitl.HistoryEntry.of(hitl.Author.user(user), f"line {number} " + "x" * 600) for number in range(6)]
    plan = connection.plan_start(user=user, title="Long", history=history, idempotency_key="k")
    session = await connection.start_hitl(user=user, title="Long", history=history, idempotency_key="k")
    sent = helpdesk.tickets[session.id].sent
    assert plan.request.key == "k/0"
    assert [message.key for message in sent] == [f"k/{number}" for number in range(2, len(plan.request.relay) + 1)]
    whole = "".join(item.text for item in plan.request.relay)
    assert [f"line {number} " in whole for number in range(6)] == [True] * 6
    assert [message.message.text for message in sent] == [item.text for item in plan.request.relay[1:]]


async def test_the_same_plan_is_made_twice(connection):
    user = hitl.ExternalUser(id="u")
    entry = hitl.HistoryEntry.of(hitl.Author.bot(), "Hello", datetime(2026, 1, 1, tzinfo=UTC))
    plans = [connection.plan_start(user=user, title="T", history=[entry], idempotency_key="k") for _ in range(2)]
    assert plans[0] == plans[1]
    assert hitl.StartPlan.model_validate_json(plans[0].model_dump_json()) == plans[0]


async def test_r16_a_long_message_is_split_within_the_limit_and_keeps_its_order(connection, helpdesk, session):
    text = " ".join(f"word{number}" for number in range(400))
    sent = await connection.send_message(session, text, idempotency_key="m")
    parts = helpdesk.tickets[session.id].sent
    assert len(parts) > 1
    assert all(len(part.message.text) <= 1000 for part in parts)
    assert " ".join(part.message.text for part in parts) == text
    assert [part.key for part in parts] == [f"m/{number}" for number in range(len(parts))]
    assert len(sent.ids) == len(parts)


class BreaksOnSend(MemoryHelpdesk):
    def stumble(self, when):
        if self.calls[-1] == "send_message":
            raise hitl.ProviderUnavailableError("down")


async def test_a_placeholder_of_the_vendor_is_made_harmless_wherever_people_write(helpdesk):
    class Expanding(MemoryProvider):
        @hitl.hookimpl
        async def open(self):
            capabilities = self.info.capabilities.model_copy(update={"placeholders": ("{{",)})
            return hitl.AccountProfile(capabilities=capabilities)

    words = "{{ticket.id}}"
    async with connect_class(Expanding, helpdesk=helpdesk) as connection:
        user = await connection.create_user(external_id="u1")
        history = [hitl.HistoryEntry.of(hitl.Author.user(user), words)]
        session = await connection.start_hitl(user=user, title=words, description=words, history=history)
        await connection.send_message(session, words, author=hitl.Author.user(user))
    ticket = helpdesk.tickets[session.id]
    sent = [ticket.start.title, ticket.start.description, ticket.start.relay[0].text, ticket.sent[0].message.text]
    assert not [text for text in sent if "{{" in text]
    assert all("ticket.id" in text for text in sent)


async def test_a_failing_step_after_the_opening_names_the_session_that_exists():
    history = [hitl.HistoryEntry.of(hitl.Author.user(), "x " * 1500)]
    async with connect_class(MemoryProvider, helpdesk=BreaksOnSend()) as connection:
        with pytest.raises(hitl.ProviderUnavailableError) as caught:
            await connection.start_hitl(user=hitl.ExternalUser(id="u"), title="T", history=history)
    assert caught.value.session.id == "t1"


async def test_errors_say_which_connection_and_operation(connection, helpdesk, session):
    helpdesk.fail("before", hitl.RateLimitedError("slow down", retry_after=7, status=429))
    with pytest.raises(hitl.RateLimitedError) as caught:
        await connection.send_message(session, "secret words")
    error = caught.value
    assert (error.provider, error.connection, error.operation) == ("memory", "default/memory", "send_message")
    assert (error.retryable, error.retry_after) == (True, 7)
    assert str(error) == "memory/default/memory/send_message: slow down (status 429)"
    assert "secret words" not in repr(error)


async def test_an_unexpected_failure_of_a_write_is_ambiguous(helpdesk):
    class Clumsy(MemoryProvider):
        @hitl.hookimpl
        async def send_message(self, request):
            raise KeyError("secret words")

        add_message = None

    async with connect_class(Clumsy, helpdesk=helpdesk) as connection:
        ref = hitl.SessionRef(connection=connection.key, id="t1")
        with pytest.raises(hitl.AmbiguousOutcomeError, match="look it up before repeating") as caught:
            await connection.send_message(ref, "Hello")
    assert "secret words" not in str(caught.value)


async def test_a_hook_that_answers_with_the_wrong_thing_is_an_error(helpdesk):
    class Vague(MemoryProvider):
        @hitl.hookimpl
        async def create_user(self, request):
            return {"id": "u1"}

    async with connect_class(Vague, helpdesk=helpdesk) as connection:
        with pytest.raises(hitl.ProviderError, match="returned dict"):
            await connection.create_user(external_id="u1")


@pytest.mark.parametrize(
    ("call", "error", "sentence"),
    [
        (lambda c, s: c.send_message(s, ""), hitl.InvalidRequestError, "at least 1 character"),
        (
            lambda c, s: c.send_message(s, {"type": "hologram"}),
            hitl.UnsupportedError,
            "message type 'hologram' is unknown",
        ),
        (lambda c, s: c.send_message(s, {"type": "txet"}), hitl.UnsupportedError, "did you mean 'text'"),
        (lambda c, s: c.send_message(s, {"type": "image"}), hitl.InvalidRequestError, "give the file's url"),
        (
            lambda c, s: c.stop_hitl(hitl.SessionRef(connection="x/y", id="1")),
            hitl.HitlError,
            "belongs to connection 'x/y'",
        ),
    ],
)
async def test_bad_input_is_refused_with_the_reason(connection, session, call, error, sentence):
    with pytest.raises(error, match=sentence):
        await call(connection, session)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"priorty": "high"}, "unknown option 'priorty'; did you mean 'priority'"),
        ({"priority": "SECRET"}, "option 'priority': Input should be 'low', 'medium', 'high' or 'urgent'"),
    ],
)
async def test_s015_bad_start_options_are_refused_by_name_and_without_their_value(connection, options, sentence):
    with pytest.raises(hitl.InvalidRequestError, match=sentence) as caught:
        connection.plan_start(user=hitl.ExternalUser(id="u"), title="T", options=options)
    assert "SECRET" not in str(caught.value)


WORDS = "SECRET words"


@pytest.mark.parametrize(
    ("call", "operation", "sentence"),
    [
        (lambda c, s: c.send_message("tkt_x", WORDS), "send_message", r"session is of type str; pass the session"),
        (lambda c, s: c.stop_hitl("tkt_x"), "stop_hitl", r"session is of type str; pass the session start_hitl gave"),
        (
            lambda c, s: c.send_typing("tkt_x"),
            "send_typing",
            r"hitl\.SessionRef\(connection=connection\.key, id=\.\.\.\)",
        ),
        (lambda c, s: c.list_events(None), "list_events", "session is of type NoneType; pass the session"),
        (lambda c, s: c.send_message(s, 1), "send_message", "message is of type int; pass a text, a message such as"),
        (
            lambda c, s: c.send_message(s, WORDS, author="user"),
            "send_message",
            r"author is of type str; .*Author\.user",
        ),
        (lambda c, s: c.send_message(s, WORDS, author=hitl.Role.USER), "send_message", r"author is of type Role; "),
        (
            lambda c, s: c.send_typing(s, author=ADA),
            "send_typing",
            r"author is of type Agent; .*Author\.agent\(agent\)",
        ),
        (
            lambda c, s: c.stop_hitl(s, reason="bored"),
            "stop_hitl",
            "reason is not a known one; pass one of agent_closed",
        ),
        (lambda c, s: c.stop_hitl(s, "user_let"), "stop_hitl", r"did you mean 'user_left'\? Pass one of"),
        (lambda c, s: c.stop_hitl(s, None), "stop_hitl", "reason is not a known one"),
        (
            lambda c, s: c.create_user("Grace"),
            "create_user",
            r"user is of type str; pass a hitl\.EndUser, or its fields",
        ),
    ],
)
async def test_what_is_of_the_wrong_kind_is_refused_with_what_to_pass_instead(
    connection, session, call, operation, sentence
):
    with pytest.raises(hitl.InvalidRequestError, match=sentence) as caught:
        await call(connection, session)
    error = caught.value
    assert (error.provider, error.connection, error.operation) == ("memory", "default/memory", operation)
    assert not {"SECRET", "tkt_x", "Grace", "bored"} & set(str(error).split())


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"user": "u1"}, r"user is of type str; pass what `await connection\.create_user\(\.\.\.\)` gave"),
        ({"user": hitl.EndUser(external_id="u1")}, "user is of type EndUser; pass what"),
        ({"history": [WORDS]}, r"history\[0\] is of type str; pass hitl\.HistoryEntry\.of\("),
        ({"history": WORDS}, r"history is of type str; pass a list with one hitl\.HistoryEntry\.of\("),
        ({"history": None}, "history is of type NoneType; pass a list"),
        ({"previous": "t0"}, "previous is of type str; pass the earlier session's ref"),
        ({"title": None}, "title is of type NoneType; pass a text"),
        ({"title": " "}, "a hand-off needs a title"),
    ],
)
async def test_a_start_of_the_wrong_kind_is_refused_with_what_to_pass_instead(connection, helpdesk, changed, sentence):
    given = {"user": hitl.ExternalUser(id="u"), "title": "T"} | changed
    with pytest.raises(hitl.InvalidRequestError, match=sentence) as caught:
        await connection.start_hitl(**given)
    assert str(caught.value).startswith("memory/default/memory/start_hitl: ")
    assert "SECRET" not in str(caught.value)
    assert helpdesk.tickets == {}


async def test_every_reason_there_is_may_be_given_as_a_word(connection, helpdesk):
    user = hitl.ExternalUser(id="u")
    for reason in hitl.StopReason:
        session = await connection.start_hitl(user=user, title="T")
        await connection.stop_hitl(session, reason.value)
        assert helpdesk.tickets[session.id].open is False


async def test_a_capability_the_account_lacks_is_never_called(helpdesk):
    class Modest(MemoryProvider):
        @hitl.hookimpl
        async def open(self):
            return hitl.AccountProfile(capabilities=hitl.Capabilities(), limits=hitl.Limits())

    async with connect_class(Modest, helpdesk=helpdesk) as connection:
        ref = hitl.SessionRef(connection=connection.key, id="t1")
        assert connection.capabilities.pull is False
        for call in (
            connection.list_events(ref),
            connection.list_changes(),
            connection.send_typing(ref),
            connection.get_availability(),
            connection.transfer(ref),
            connection.register_webhook("https://a.test"),
            connection.open_attachment(hitl.AttachmentRef(id="1")),
        ):
            with pytest.raises(hitl.UnsupportedError, match=r"does not offer .* in this account"):
                await call
        with pytest.raises(hitl.UnsupportedError, match="no internal notes"):
            connection.plan_message(ref, "note", visibility="internal")


async def test_f20_without_a_secret_a_delivery_is_refused_unless_the_account_allows_it(helpdesk):
    delivery = helpdesk.deliver([])
    async with connect_class(MemoryProvider, helpdesk=helpdesk) as connection:
        with pytest.raises(hitl.WebhookVerificationError, match="set webhook_secret, or allow_unsigned_webhooks"):
            connection.verify_webhook(headers=delivery.headers, body=delivery.body)
    async with connect_class(MemoryProvider, helpdesk=helpdesk, allow_unsigned_webhooks=True) as connection:
        assert connection.verify_webhook(headers={}, body=delivery.body).id == "unsigned"


async def test_a_tampered_delivery_is_refused(connection, helpdesk, session):
    delivery = helpdesk.reply(session.id, "Hello")
    with pytest.raises(hitl.WebhookVerificationError):
        connection.verify_webhook(headers=delivery.headers, body=delivery.body + b" ")


async def test_whatever_escapes_a_verifier_is_a_refusal(helpdesk):
    class Fragile(MemoryProvider):
        @hitl.hookimpl
        def verify_webhook(self, request):
            raise ZeroDivisionError

    async with connect_class(Fragile, helpdesk=helpdesk) as connection:
        with pytest.raises(hitl.WebhookVerificationError, match="ZeroDivisionError"):
            connection.verify_webhook(headers={}, body=b"")


async def test_an_authentic_delivery_that_makes_no_sense_is_a_parse_error(connection, helpdesk):
    delivery = helpdesk.deliver([{"id": "1", "kind": "message"}])
    with pytest.raises(hitl.WebhookParseError):
        await connection.parse_webhook(headers=delivery.headers, body=delivery.body)


async def test_what_proved_a_delivery_is_not_stored_whatever_its_header_is_called(helpdesk):
    scheme = HmacScheme("X-Akme-Sig")

    class Akme(MemoryProvider):
        @hitl.hookimpl
        def verify_webhook(self, request):
            self._ctx.verify_signature(scheme, request)
            return hitl.WebhookDelivery.of(request, id="1")

    headers = {**scheme.sign("akme-secret", b"{}"), "X-Akme-Topic": "reply"}
    async with connect_class(Akme, helpdesk=helpdesk, webhook_secret="akme-secret") as connection:
        stored = connection.verify_webhook(headers=headers, body=b"{}")
    assert stored.headers == {"x-akme-topic": "reply"}


async def test_a_stored_delivery_carries_no_credential(connection, helpdesk):
    delivery = helpdesk.deliver([])
    headers = delivery.headers | {"Authorization": "Basic x", "Cookie": "x", "X-Api-Key": "x", "X-Webhook-Secret": "x"}
    stored = connection.verify_webhook(headers=headers, body=delivery.body)
    assert set(stored.headers) == {"webhook-id", "webhook-timestamp"}
    assert hitl.WebhookDelivery.model_validate_json(stored.model_dump_json()) == stored


async def test_a_session_that_is_not_ours_is_ignored_with_its_reason(connection, helpdesk, session):
    delivery = helpdesk.reply(session.id, "Hello")
    stored = connection.verify_webhook(headers=delivery.headers, body=delivery.body)
    parsed = await connection.parse_delivery(stored, known={})
    assert stored.session_ids == (session.id,)
    assert [event.reason for event in parsed.events] == ["not_ours"]


async def test_push_and_pull_give_the_same_events(connection, helpdesk, session):
    deliveries = [
        helpdesk.assign(session.id, ADA),
        helpdesk.reply(session.id, "Hi", ADA),
        helpdesk.close(session.id, ADA),
    ]
    pushed = [
        event for one in deliveries for event in await connection.parse_webhook(headers=one.headers, body=one.body)
    ]
    page = await connection.list_events(session, limit=2)
    rest = await connection.list_events(session, cursor=page.cursor)
    assert pushed == [*page.events, *rest.events]
    assert (page.more, rest.more, rest.state.open, rest.state.agent) == (True, False, False, ADA)


async def test_an_ambiguous_send_can_be_looked_up(connection, helpdesk, session):
    (part,) = connection.plan_message(session, "Hello", idempotency_key="m")
    helpdesk.fail("after", hitl.AmbiguousOutcomeError("lost"))
    with pytest.raises(hitl.AmbiguousOutcomeError):
        await connection.execute(part)
    finding = await connection.find_message(part, sent_after=SINCE)
    assert isinstance(finding, hitl.Found)
    assert finding.sent.ids == ("t1-sent-1",)
    (other,) = connection.plan_message(session, "Hello", idempotency_key="n")
    assert await connection.find_message(other, sent_after=SINCE) == hitl.Absent()


async def test_an_ambiguous_start_can_be_looked_up(connection, helpdesk):
    plan = connection.plan_start(user=hitl.ExternalUser(id="u"), title="T", idempotency_key="k")
    assert await connection.find_session(plan, sent_after=SINCE) == hitl.Absent()
    helpdesk.fail("after", hitl.AmbiguousOutcomeError("lost"))
    with pytest.raises(hitl.AmbiguousOutcomeError):
        await connection.begin(plan)
    finding = await connection.find_session(plan, sent_after=SINCE)
    assert finding.started.session.id == "t1"


async def test_secrets_of_a_registration_outlive_the_connection(helpdesk):
    state = hitl.MemoryState()
    async with connect_class(MemoryProvider, helpdesk=helpdesk, state=state) as connection:
        registration = await connection.register_webhook("https://bot.test/hook")
        assert helpdesk.secret not in repr(registration)
        assert helpdesk.secret not in registration.model_dump_json()
    delivery = helpdesk.deliver([])
    async with connect_class(MemoryProvider, helpdesk=helpdesk, state=state) as connection:
        assert connection.verify_webhook(headers=delivery.headers, body=delivery.body)
        await connection.unregister_webhook()
        with pytest.raises(hitl.WebhookVerificationError):
            connection.verify_webhook(headers=delivery.headers, body=delivery.body)


async def test_a_connection_is_used_between_open_and_close_only(helpdesk):
    connection = connect_class(MemoryProvider, helpdesk=helpdesk)
    with pytest.raises(hitl.HitlError, match="is not open"):
        await connection.identify()
    async with connection:
        assert (await connection.identify()).id == "bot"
    await connection.close()
    with pytest.raises(hitl.HitlError, match="is closed"):
        await connection.check()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "setting 'helpdesk' is required"),
        ({"helpdesk": None}, "setting 'helpdesk'"),
        ({"helpdesk": MemoryHelpdesk(), "webhook_sercet": "SECRET"}, "did you mean 'webhook_secret'"),
        ({"helpdesk": MemoryHelpdesk(), "webhook_secret": ["SECRET", " "]}, "an empty secret would let anybody sign"),
        ({"helpdesk": MemoryHelpdesk(), "timeout": "SECRET"}, "setting 'timeout'"),
    ],
)
def test_bad_settings_are_refused_by_name_and_never_quoted(settings, sentence):
    with pytest.raises(hitl.ConfigurationError, match=sentence) as caught:
        connect_class(MemoryProvider, **settings)
    assert "SECRET" not in str(caught.value)
    assert "hitl providers show memory" in str(caught.value)


def test_a_secret_no_header_can_carry_is_named_by_its_setting():
    with pytest.raises(hitl.ConfigurationError, match=r"setting 'token': .*copy it again") as caught:
        hitl.connect("desk", base_url="https://desk.example", token="dbk_SECRET\n")
    assert "SECRET" not in str(caught.value)


def test_an_alias_is_a_plain_name():
    with pytest.raises(hitl.ConfigurationError, match="plain name without slashes"):
        connect_class(MemoryProvider, alias="a/b", helpdesk=MemoryHelpdesk())


def test_r13_two_accounts_of_one_provider_have_keys_of_their_own():
    keys = [connect_class(MemoryProvider, alias=alias, tenant=tenant, helpdesk=MemoryHelpdesk()).key
            for alias, tenant in (("eu", "acme"), ("us", "acme"), ("eu", "umbrella"))]  # fmt: skip
    assert keys == ["acme/eu", "acme/us", "umbrella/eu"]


def test_the_same_without_an_event_loop(helpdesk):
    from hitl_core.sync import SyncConnection

    with SyncConnection(connect_class(MemoryProvider, helpdesk=helpdesk, webhook_secret=helpdesk.secret)) as connection:
        user = connection.create_user(external_id="u1")
        session = connection.start_hitl(user=user, title="T")
        connection.send_message(session, "Hello")
        delivery = helpdesk.reply(session.id, "Hi")
        (event,) = connection.parse_webhook(headers=delivery.headers, body=delivery.body)
        connection.stop_hitl(session)
    assert event.message.text == "Hi"
    assert helpdesk.tickets[session.id].open is False
    with pytest.raises(hitl.HitlError, match="is not open"):
        connection.check()


@pytest.mark.parametrize(
    "address", ["nonsense", "", "ftp://bot.test/hook", "https://", "//bot.test/hook", "http://[::1", 5]
)
async def test_a_webhook_is_registered_at_a_web_address_alone(connection, address):
    with pytest.raises(hitl.InvalidRequestError, match="the whole address"):
        await connection.register_webhook(address)
