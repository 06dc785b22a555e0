"""The public API as users and provider authors write it. Never run: the type checker is the test."""

from typing import Any, ClassVar, assert_type

import hitl_core as hitl


async def integrator(headers: dict[str, str], body: bytes) -> None:
    async with hitl.connect("desk", base_url="https://desk.test", token="t", webhook_secret=["a", "b"]) as helpdesk:
        assert_type(helpdesk, hitl.Connection)
        user = await helpdesk.create_user(name="Ada", external_id="u-17")
        assert_type(user, hitl.ExternalUser)
        session = await helpdesk.start_hitl(
            user=user,
            title="Refund",
            history=[hitl.HistoryEntry.of(hitl.Author.user(user), "Hello")],
            options={"priority": "high"},
            relay="transcript",
        )
        assert_type(session, hitl.HitlSession)
        await helpdesk.send_message(session, "Any news?", author=hitl.Author.user(user))
        await helpdesk.send_message(session.ref, hitl.Image(url="https://a.test/b.png"), visibility="internal")
        for event in await helpdesk.parse_webhook(headers=headers, body=body):
            match event:
                case hitl.AgentMessage(message=hitl.Text(text=text), agent=agent):
                    assert_type(text, str)
                    assert_type(agent, hitl.Agent | None)
                case hitl.SessionStopped(reason=reason):
                    assert_type(reason, hitl.StopReason)
                case _:
                    pass
        finding = await helpdesk.find_session(
            helpdesk.plan_start(user=user, title="T"), sent_after=hitl.SystemClock().now()
        )
        if isinstance(finding, hitl.Found):
            assert_type(finding.started, hitl.StartedSession | None)
        await helpdesk.stop_hitl(session, reason="user_left")


def blocking() -> None:
    with hitl.connect_sync("desk", base_url="https://desk.test", token="t") as helpdesk:
        user = helpdesk.create_user(external_id="u-17")
        assert_type(user, hitl.ExternalUser)
        session = helpdesk.start_hitl(user=user, title="Refund")
        assert_type(session, hitl.HitlSession)
        assert_type(helpdesk.list_events(session), hitl.EventPage)
        helpdesk.send_message(session, 1)  # type: ignore[arg-type]  # the wait keeps the signature


class Settings(hitl.ProviderSettings):
    token: str


class Provider:
    info: ClassVar[hitl.ProviderInfo] = hitl.ProviderInfo(name="toy", title="Toy", settings=Settings)

    def __init__(self, ctx: hitl.ProviderContext[Settings]) -> None:
        assert_type(ctx.settings.token, str)
        self.http = ctx.http.bind(base_url="https://toy.test")

    @hitl.hookimpl(specname="send_message")
    async def add_comment(self, request: hitl.SendMessage) -> hitl.SentMessage:
        answer = await self.http.post("comments", operation="add_comment", json={}, key=request.key)
        return hitl.SentMessage(ids=(str(answer.json()["id"]),))


class Extension:
    @hitl.hookimpl
    async def around_call(self, call: hitl.HookCall, proceed: hitl.Proceed) -> Any:
        return await proceed(hitl.map_words(call.request, str.strip))
