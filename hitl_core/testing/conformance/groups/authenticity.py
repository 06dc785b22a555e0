"""``verify_webhook``: nothing is believed that is not proven."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from hitl_core.connection import Connection
from hitl_core.errors import ConfigurationError, WebhookVerificationError
from hitl_core.testing.conformance.base import ConformanceBase
from hitl_core.testing.conformance.room import Room
from hitl_core.testing.conformance.rules import rule
from hitl_core.testing.conformance.tools.claims import promised, refused
from hitl_core.testing.conformance.tools.genuine import Proof, changed, genuine
from hitl_core.testing.simulator import SimWebhook
from hitl_core.webhooks import WebhookDelivery

__all__ = ["AuthenticityTests"]

_MOST_FLIPS: Final = 2000
_PIECES: Final = re.compile(r"[A-Za-z0-9+/=]{12,}")
"""Parts of a secret or a signature long enough to be one, without the prefix in front of it."""


class AuthenticityTests(ConformanceBase):
    """Deliveries are proven."""

    @rule("verify_webhook")
    async def test_a_genuine_delivery_is_accepted_and_names_its_session(self, room: Room) -> None:
        """A delivery as the vendor signs it is accepted, and its ``session_ids`` name the session it is about."""
        session, webhook = await genuine(room)
        with promised("a delivery as the vendor signs it is accepted"):
            delivery = _verify(room.connection, webhook)
        assert session.id in delivery.session_ids, (
            f"the delivery is about session {session.id!r} and names {list(delivery.session_ids)}: read the sessions "
            "from the body, or the caller cannot look up whose they are"
        )
        assert delivery.body == webhook.body, "keep the body as it came: it is stored, and read from the store"

    # What is proven ---------------------------------------------------------------------------------------------

    @rule("verify_webhook", signed_body=True)
    async def test_a_changed_body_is_refused(self, room: Room) -> None:
        """A delivery of which one byte was changed, added or left out is refused (F20)."""
        _, webhook = await genuine(room)
        body = webhook.body
        bodies = {
            "a blank added": body + b" ",
            "a line break added": body + b"\n",
            "a blank put in front": b" " + body,
            "the last byte left out": body[:-1],
            "the first byte left out": body[1:],
            "the second half left out": body[: len(body) // 2],
            "nothing left of it": b"",
            "said twice": body + body,
        }
        for place in range(0, len(body), -(-len(body) // _MOST_FLIPS)):
            flipped = bytes([body[place] ^ 1])
            bodies[f"byte {place} changed"] = body[:place] + flipped + body[place + 1 :]
        taken = [what for what, altered in bodies.items() if _accepts(room.connection, changed(webhook, body=altered))]
        assert not taken, f"verify the raw bytes as received; accepted with {_listed(taken)}"

    @rule("verify_webhook")
    async def test_a_delivery_without_its_proof_is_refused(self, room: Room) -> None:
        """A delivery without one of the headers that prove it, or with an empty one, is refused (F20)."""
        _, webhook = await genuine(room)
        proof = Proof.of(room.simulator)
        assert proof.signatures, "the simulator's sign() gives the same headers for every secret: it proves nothing"
        taken = [f"{name} left out" for name in proof.headers if _accepts(room.connection, _with(webhook, name, None))]
        taken += [f"{name} empty" for name in proof.headers if _accepts(room.connection, _with(webhook, name, ""))]
        if _accepts(room.connection, webhook.model_copy(update={"headers": {}})):
            taken.append("no headers at all")
        assert not taken, f"what is not proven is refused; accepted with {_listed(taken)}"

    @rule("verify_webhook")
    async def test_a_changed_proof_is_refused(self, room: Room) -> None:
        """A delivery of which a header that proves it was changed, doubled or replaced by rubbish is refused (F20)."""
        _, webhook = await genuine(room)
        taken = []
        for name in Proof.of(room.simulator).headers:
            value = webhook.headers[name]
            middle = len(value) // 2
            values = {
                "one character changed": value[:middle] + ("1" if value[middle] == "0" else "0") + value[middle + 1 :],
                "the end left out": value[:-1],
                "something added": value + "0",
                "said twice": value + value,
                "rubbish": "kit-rubbish",
                "no ASCII": "\xe4\xf6\u20ac\x00",
                "100 kB long": value + "0" * 100_000,
                "100 kB of blanks": value + " " * 100_000 + "0",
            }
            taken += [
                f"{name}: {what}"
                for what, odd in values.items()
                if _accepts(room.connection, _with(webhook, name, odd))
            ]
        assert not taken, f"compare the whole of each header that proves a delivery; accepted with {_listed(taken)}"

    @rule("verify_webhook")
    async def test_what_somebody_else_signed_is_refused(self, room: Room) -> None:
        """A delivery signed with another secret than the account's is refused (F20, F32)."""
        _, webhook = await genuine(room)
        forged = room.signed(webhook.body, secret=room.simulator.other_secret())
        with refused(WebhookVerificationError, "a delivery signed with another secret is refused"):
            _verify(room.connection, forged)

    @rule("verify_webhook")
    async def test_a_refusal_shows_nothing_that_proves(self, room: Room) -> None:
        """The message of a refusal holds neither secret nor signature, neither the expected one nor the one given."""
        _, webhook = await genuine(room)
        proof, other = Proof.of(room.simulator), room.simulator.other_secret()
        right, forged = room.signed(webhook.body), room.signed(webhook.body, secret=other)
        values = [each.headers[name] for each in (right, forged) for name in proof.signatures]
        values += [room.simulator.secret, other]
        never = [piece for value in values for piece in _PIECES.findall(value)]
        for odd in (forged, changed(right, body=right.body + b" "), _with(right, proof.headers[0], "kit-rubbish")):
            said = _refusal(room.connection, odd) or ""
            shown = [piece for piece in never if piece in said]
            assert not shown, "a refusal goes to logs, and is shown to whoever sent it: name the header, not its value"

    # When it was signed -----------------------------------------------------------------------------------------

    @rule("verify_webhook", signed_time=True)
    async def test_an_old_delivery_is_refused(self, room: Room) -> None:
        """A delivery signed ten minutes ago is refused: somebody may have kept it to send it again (F20)."""
        _, webhook = await genuine(room)
        old = room.signed(webhook.body, at=room.clock.now() - timedelta(minutes=10))
        with refused(WebhookVerificationError, "a delivery signed ten minutes ago is refused"):
            _verify(room.connection, old)

    @rule("verify_webhook", signed_time=True)
    async def test_a_delivery_from_the_future_is_refused(self, room: Room) -> None:
        """A delivery signed ten minutes ahead is refused: it could be sent again until then (F20)."""
        _, webhook = await genuine(room)
        early = room.signed(webhook.body, at=room.clock.now() + timedelta(minutes=10))
        with refused(WebhookVerificationError, "a delivery signed ten minutes ahead of the clock is refused"):
            _verify(room.connection, early)

    @rule("verify_webhook", signed_time=True)
    async def test_clocks_may_differ_by_a_minute(self, room: Room) -> None:
        """A delivery signed almost a minute before or after our time is accepted: clocks differ."""
        _, webhook = await genuine(room)
        for seconds in (-50, 50):
            shifted = room.signed(webhook.body, at=room.clock.now() + timedelta(seconds=seconds))
            with promised(f"a delivery signed {abs(seconds)} s off our clock is accepted"):
                _verify(room.connection, shifted)

    # Secrets ----------------------------------------------------------------------------------------------------

    @rule("verify_webhook")
    async def test_while_a_secret_is_replaced_both_are_accepted(self, room: Room) -> None:
        """With ``webhook_secret=[new, old]`` deliveries signed with either are accepted, so that none is lost."""
        _, webhook = await genuine(room)
        old, new = room.simulator.secret, room.simulator.other_secret()
        async with room.connect(webhook_secret=_checked(room, new, old)) as connection:
            for which, secret in (("new", new), ("old", old)):
                with promised(f"with webhook_secret=[new, old] what the {which} one signed is accepted"):
                    _verify(connection, room.signed(webhook.body, secret=secret))

    @rule("verify_webhook")
    async def test_a_secret_that_was_replaced_counts_no_more(self, room: Room) -> None:
        """Once ``webhook_secret`` holds the new secret alone, deliveries signed with the old one are refused."""
        _, webhook = await genuine(room)
        old, new = room.simulator.secret, room.simulator.other_secret()
        async with room.connect(webhook_secret=_checked(room, new, old)) as connection:
            with promised("with webhook_secret=[new, old] what the old one signed is accepted"):
                _verify(connection, room.signed(webhook.body, secret=old))
        async with room.connect(webhook_secret=_checked(room, new)) as connection:
            with refused(WebhookVerificationError, "with webhook_secret=[new] what the old one signed is refused"):
                _verify(connection, room.signed(webhook.body, secret=old))

    @rule("verify_webhook")
    async def test_without_a_secret_nothing_is_accepted(self, room: Room) -> None:
        """Without a secret every delivery is refused, in a sentence that names ``webhook_secret`` (F20)."""
        _, webhook = await genuine(room)
        said = ""
        try:
            async with room.connect(webhook_secret=(), allow_unsigned_webhooks=False) as connection:
                _verify(connection, webhook)
        except (WebhookVerificationError, ConfigurationError) as error:
            said = str(error)
        assert said, "without a secret nothing can be proven, so nothing may be accepted: use ctx.verify_signature"
        assert "webhook_secret" in said, f"say which setting is missing, webhook_secret; it said: {said}"

    @rule("verify_webhook")
    async def test_unsigned_deliveries_can_be_allowed(self, room: Room) -> None:
        """With ``allow_unsigned_webhooks=True`` and no secret, a delivery without any proof is accepted."""
        _, webhook = await genuine(room)
        for name in Proof.of(room.simulator).signatures:
            webhook = _with(webhook, name, None)
        async with room.connect(webhook_secret=(), allow_unsigned_webhooks=True) as connection:
            with promised("allow_unsigned_webhooks=True accepts deliveries without a proof"):
                _verify(connection, webhook)

    @rule("verify_webhook")
    async def test_allowing_unsigned_deliveries_does_not_switch_a_secret_off(self, room: Room) -> None:
        """With ``allow_unsigned_webhooks=True`` and a secret, a delivery signed with another one is refused."""
        _, webhook = await genuine(room)
        forged = room.signed(webhook.body, secret=room.simulator.other_secret())
        async with room.connect(allow_unsigned_webhooks=True) as connection:
            with refused(WebhookVerificationError, "where there is a secret, every delivery is held against it"):
                _verify(connection, forged)

    # Accounts ---------------------------------------------------------------------------------------------------

    @rule("verify_webhook", abilities=("foreign_body",))
    async def test_another_accounts_delivery_is_refused(self, room: Room) -> None:
        """A delivery that names another account of the vendor's than ours is refused, even if it is signed (F32)."""
        _, webhook = await genuine(room)
        foreign = room.signed(room.simulator.foreign_body(webhook.body))
        rule = "a delivery of another account is refused: name the account in WebhookDelivery and in AccountProfile"
        with refused(WebhookVerificationError, rule):
            _verify(room.connection, foreign)


def _verify(connection: Connection, webhook: SimWebhook) -> WebhookDelivery:
    return connection.verify_webhook(headers=webhook.headers, body=webhook.body)


def _refusal(connection: Connection, webhook: SimWebhook) -> str | None:
    """Return what is said when a delivery is refused; ``None`` when it is accepted."""
    try:
        _verify(connection, webhook)
    except WebhookVerificationError as error:
        return f"{error} {error!r}"
    return None


def _accepts(connection: Connection, webhook: SimWebhook) -> bool:
    return _refusal(connection, webhook) is None


def _with(webhook: SimWebhook, name: str, value: str | None) -> SimWebhook:
    return changed(webhook, headers={name: value})


def _checked(room: Room, *secrets: str) -> list[str]:
    """Return what the account is given to check what these secrets sign."""
    return [room.simulator.checked_with(secret) for secret in secrets]


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - 5} more" if len(items) > 5 else ""
    return "; ".join(items[:5]) + more
