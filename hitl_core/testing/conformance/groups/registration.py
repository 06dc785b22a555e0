"""``register_webhook`` and ``unregister_webhook``: the vendor calls us, once, and what it signs is believed."""

from __future__ import annotations

from hitl_core.calls import WebhookRegistration
from hitl_core.connection.registration import load_registration, save_registration
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised
from hitl_core.testing.conformance.tools.genuine import REPLY
from hitl_core.testing.simulator import SimEndpoint, SimWebhook

__all__ = ["RegistrationTests"]

_NEEDS = ("webhook_registration",)


class RegistrationTests(ConformanceBase):
    """Webhooks are set up, mended and removed."""

    @rule("register_webhook", needs=_NEEDS)
    async def test_registering_makes_the_vendor_call_us(self, room: Room) -> None:
        """After registering, the vendor holds our URL and delivers there (F42)."""
        registration = await _registered(room)
        assert registration.url == room.webhook_url, f"the registration is for {room.webhook_url}: say so in its url"
        assert registration.ids or registration.manual_steps, "say in ids what was made, or it cannot be removed"
        assert await _ours(room), f"no endpoint of the vendor's has the url {room.webhook_url}"
        await _delivered(room)

    @rule("register_webhook", "verify_webhook", needs=_NEEDS)
    async def test_what_a_registered_webhook_sends_is_accepted(self, room: Room) -> None:
        """A delivery to the registered URL is accepted, by the secret the vendor issued where it issues one (F20)."""
        async with room.connect(webhook_secret=()) as connection:
            with promised("a webhook can be registered"):
                registration = await connection.register_webhook(room.webhook_url)
            webhook = _signed_as_issued(room, registration, await _delivered(room))
            verifier = connection if registration.secrets else room.connection
            with promised("what the vendor signs with the secret it issued is accepted: hand it back in secrets"):
                verifier.verify_webhook(headers=webhook.headers, body=webhook.body)

    @rule("register_webhook", "verify_webhook", needs=_NEEDS)
    async def test_an_issued_secret_is_known_after_a_restart(self, room: Room) -> None:
        """An instance that starts later, with the same state, accepts what the registered webhook sends."""
        registration = await _registered(room)
        webhook = _signed_as_issued(room, registration, await _delivered(room))
        configured = {"webhook_secret": ()} if registration.secrets else {}
        async with room.connect(**configured) as restarted:
            with promised("a secret the vendor issued is known after a restart: hand it back in secrets"):
                restarted.verify_webhook(headers=webhook.headers, body=webhook.body)

    # Once -------------------------------------------------------------------------------------------------------

    @rule("register_webhook", needs=_NEEDS)
    async def test_registering_twice_makes_one_webhook(self, room: Room) -> None:
        """Registering again adds nothing: every fact would be delivered twice (S264)."""
        await _registered(room)
        first = await room.agent.endpoints()
        await _registered(room)
        second = await room.agent.endpoints()
        assert len(second) == len(first), f"{len(first)} endpoints became {len(second)}: change what previous.ids names"

    @rule("register_webhook", needs=_NEEDS)
    async def test_registering_finds_what_was_made_before(self, room: Room) -> None:
        """Registering adds nothing either where the record of the first time is lost: look for it by its name."""
        await _registered(room)
        first = await room.agent.endpoints()
        await save_registration(room.state, None)
        await _registered(room)
        second = await room.agent.endpoints()
        assert len(second) == len(first), (
            f"{len(first)} endpoints became {len(second)}: a registration may succeed without an answer, so look for "
            "what an earlier one has made, by a name that holds the alias"
        )

    @rule("register_webhook", needs=_NEEDS)
    async def test_registering_another_url_moves_the_webhook(self, room: Room) -> None:
        """Registering another URL leaves nothing at the old one: the bot has moved."""
        await _registered(room)
        moved = f"{room.webhook_url}-moved"
        with promised("a webhook can be registered at another URL"):
            registration = await room.connection.register_webhook(moved)
        assert registration.url == moved, f"the registration is for {moved} now, not for {registration.url}"
        urls = {endpoint.url for endpoint in await room.agent.endpoints()}
        assert urls == {moved}, f"the bot has moved to {moved}; the vendor calls {', '.join(sorted(urls)) or 'nobody'}"

    # Drift ------------------------------------------------------------------------------------------------------

    @rule("register_webhook", "verify_webhook", needs=_NEEDS)
    async def test_registering_mends_what_somebody_removed(self, room: Room) -> None:
        """Where somebody has removed the webhook at the vendor, registering makes it again, and it is believed."""
        await _registered(room)
        await room.agent.lose_endpoints()
        await _assert_mended(room)

    @rule("register_webhook", "verify_webhook", needs=_NEEDS)
    async def test_registering_mends_what_somebody_changed(self, room: Room) -> None:
        """Where somebody has pointed the webhook elsewhere, registering brings it back."""
        await _registered(room)
        await room.agent.change_endpoints()
        await _assert_mended(room)
        others = [endpoint.url for endpoint in await room.agent.endpoints() if endpoint.url != room.webhook_url]
        assert not others, f"the webhook that was changed still calls {', '.join(others)}: change it back"

    # The end of it ----------------------------------------------------------------------------------------------

    @rule("unregister_webhook", needs=_NEEDS)
    async def test_unregistering_removes_everything(self, room: Room) -> None:
        """After unregistering, nothing of the registration is left at the vendor (S226)."""
        await _registered(room)
        with promised("a registered webhook can be removed"):
            await room.connection.unregister_webhook()
        left = await room.agent.endpoints()
        assert not left, f"{len(left)} endpoints are left at the vendor: remove all that previous.ids names"

    @rule("unregister_webhook", needs=_NEEDS)
    async def test_unregistering_what_is_gone_is_fine(self, room: Room) -> None:
        """Unregistering a second time, or after somebody removed the webhook, is no failure (S226)."""
        await _registered(room)
        made = await load_registration(room.state)
        with promised("a registered webhook can be removed"):
            await room.connection.unregister_webhook()
        await save_registration(room.state, made)  # as if the process had ended before it could forget
        with promised("removing a webhook a second time is fine; take a 404 for done"):
            await room.connection.unregister_webhook()
        await _registered(room)
        await room.agent.lose_endpoints()
        with promised("removing a webhook that somebody else removed is fine; take a 404 for done"):
            await room.connection.unregister_webhook()

    @rule("register_webhook", needs=_NEEDS)
    async def test_a_registration_shows_no_secret(self, room: Room) -> None:
        """Neither ``repr`` nor JSON of a registration holds the secret the vendor issued: both go to logs."""
        registration = await _registered(room)
        shown = {
            "repr": repr(registration),
            "str": str(registration),
            "JSON": registration.model_dump_json(),
            "the repr of the connection": repr(room.connection),
        }
        issued = [secret.get_secret_value() for secret in registration.secrets]
        found = [where for where, text in shown.items() for secret in issued if secret in text]
        assert not found, f"{', '.join(found)} of the registration show the secret: keep it in secrets and nowhere else"


async def _registered(room: Room) -> WebhookRegistration:
    with promised("a webhook can be registered"):
        return await room.connection.register_webhook(room.webhook_url)
    raise AssertionError  # never: what is promised is returned, or has failed


async def _ours(room: Room) -> list[SimEndpoint]:
    """Return the vendor's endpoints that would call us."""
    every = await room.agent.endpoints()
    return [endpoint for endpoint in every if endpoint.url == room.webhook_url and endpoint.enabled]


async def _delivered(room: Room) -> SimWebhook:
    """Let an agent reply, and return a delivery to our URL."""
    session = await room.session()
    await room.agent.reply(session.id, REPLY)
    while arrived := await room.webhooks():
        for webhook in arrived:
            if webhook.url == room.webhook_url:
                return webhook
    msg = f"the webhook is registered, an agent replied, and nothing was delivered to {room.webhook_url}"
    raise AssertionError(msg)


async def _assert_mended(room: Room) -> None:
    registration = await _registered(room)
    assert await _ours(room), "registering looks at what the vendor holds, not only at its own record: mend it"
    webhook = _signed_as_issued(room, registration, await _delivered(room))
    with promised("what the mended webhook sends is accepted"):
        room.connection.verify_webhook(headers=webhook.headers, body=webhook.body)


def _signed_as_issued(room: Room, registration: WebhookRegistration, webhook: SimWebhook) -> SimWebhook:
    """Return the delivery as it came; from a recording, which holds no secret, signed with what stands for it there."""
    from hitl_core.testing.cassettes.credentials import is_redacted  # brings what only recordings need

    redacted = [each.get_secret_value() for each in registration.secrets if is_redacted(each.get_secret_value())]
    return room.signed(webhook.body, secret=redacted[0]) if redacted else webhook
