"""Extensions see every call and may change or refuse it; they never replace the provider."""

import pytest

import hitl_core as hitl
from hitl_core.connect import connect_class
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider

pytestmark = pytest.mark.anyio


class Recorder:
    def __init__(self, name, seen):
        self.name, self.seen = name, seen

    @hitl.hookimpl
    async def around_call(self, call, proceed):
        self.seen.append((self.name, "before", call.hook))
        result = await proceed(call.request)
        self.seen.append((self.name, "after", call.hook))
        return result


class Shout:
    @hitl.hookimpl
    async def around_call(self, call, proceed):
        return await proceed(hitl.map_words(call.request, str.upper))


@pytest.fixture
def helpdesk():
    return MemoryHelpdesk()


async def start(helpdesk, *extensions):
    connection = connect_class(MemoryProvider, helpdesk=helpdesk, extensions=extensions)
    await connection.open()
    user = await connection.create_user(external_id="u1")
    history = [hitl.HistoryEntry.of(hitl.Author.user(user), "my card")]
    return connection, await connection.start_hitl(user=user, title="title", history=history)


async def test_they_wrap_in_order_the_first_outermost(helpdesk):
    seen = []
    connection, _ = await start(helpdesk, Recorder("a", seen), Recorder("b", seen))
    await connection.close()
    assert seen[:4] == [
        ("a", "before", "create_user"),
        ("b", "before", "create_user"),
        ("b", "after", "create_user"),
        ("a", "after", "create_user"),
    ]
    assert {hook for _, _, hook in seen} == {"create_user", "start_hitl"}


async def test_they_may_change_what_is_sent_history_included(helpdesk):
    connection, session = await start(helpdesk, Shout())
    await connection.send_message(session, {"type": "bloc", "items": [{"type": "text", "text": "hello"}]})
    ticket = helpdesk.tickets[session.id]
    assert ticket.start.title == "TITLE"
    assert "MY CARD" in ticket.start.relay[0].text
    assert ticket.start.relay[0].source[0].message.text == "MY CARD"
    assert ticket.sent[0].message.items[0].text == "HELLO"


async def test_they_may_change_the_result_and_refuse(helpdesk):
    class Guard:
        @hitl.hookimpl
        async def around_call(self, call, proceed):
            if call.hook == "send_message":
                raise hitl.UnsupportedError("not on Sundays")
            result = await proceed(call.request)
            return result.model_copy(update={"id": "changed"}) if call.hook == "create_user" else result

    connection, session = await start(helpdesk, Guard())
    assert helpdesk.tickets[session.id].start.user.id == "changed"
    with pytest.raises(hitl.UnsupportedError, match="not on Sundays"):
        await connection.send_message(session, "Hello")
    assert helpdesk.tickets[session.id].sent == []


async def test_they_cannot_swap_the_request_for_another_kind(helpdesk):
    class Swap:
        @hitl.hookimpl
        async def around_call(self, call, proceed):
            return await proceed(hitl.Identify())

    with pytest.raises(hitl.HitlError, match="replaced the CreateUser of create_user by a Identify"):
        await start(helpdesk, Swap())


async def test_they_see_verified_webhooks_but_cannot_touch_the_proof(helpdesk):
    seen = []
    async with connect_class(
        MemoryProvider, helpdesk=helpdesk, webhook_secret=helpdesk.secret, extensions=[Recorder("a", seen)]
    ) as connection:
        delivery = helpdesk.deliver([])
        with pytest.raises(hitl.WebhookVerificationError):
            await connection.parse_webhook(headers={}, body=delivery.body)
        assert seen == []
        await connection.parse_webhook(headers=delivery.headers, body=delivery.body)
    assert [hook for _, _, hook in seen] == ["parse_webhook", "parse_webhook"]


class Impostor:
    @hitl.hookimpl
    async def around_call(self, call, proceed):
        return await proceed(call.request)

    @hitl.hookimpl
    async def send_message(self, request):
        return hitl.SentMessage()


class Blocking:
    @hitl.hookimpl
    def around_call(self, call, proceed):
        return proceed(call.request)


class Misspelt:
    @hitl.hookimpl
    async def around_call(self, call, proced):
        return await proced(call.request)


class Nearly:
    @hitl.hookimpl
    async def around_cal(self, call, proceed):
        return await proceed(call.request)


@pytest.mark.parametrize(
    ("extension", "sentence"),
    [
        (Nearly, "Nearly has around_cal; did you mean around_call"),
        (Impostor, "Impostor implements send_message; .* would replace the provider"),
        (Blocking, "Blocking needs `@hookimpl async def around_call"),
        (Misspelt, r"Misspelt: around_call takes \(self, call, proceed\)"),
        (object(), "object needs `@hookimpl async def around_call"),
        ("redcat", "no extension 'redcat' is installed"),
    ],
)
def test_what_is_no_extension_is_refused(helpdesk, extension, sentence):
    with pytest.raises(hitl.ConfigurationError, match=sentence):
        connect_class(MemoryProvider, helpdesk=helpdesk, extensions=[extension])


def test_words_are_mapped_and_everything_else_is_left_alone():
    card = hitl.Card(
        title="a", actions=(hitl.Action(kind="url", label="a", value="https://a.test"),), image_url="https://a.test"
    )
    mapped = hitl.map_words(card, str.upper)
    assert mapped == hitl.Card(
        title="A", actions=(hitl.Action(kind="url", label="A", value="https://a.test"),), image_url="https://a.test"
    )
    assert hitl.map_words(hitl.Text(text="a"), lambda text: "") == hitl.Text(text="-")
    unchanged = hitl.Image(url="https://a.test/a.png")
    assert hitl.map_words(unchanged, str.upper) is unchanged
