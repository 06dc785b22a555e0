"""A vendor that issues OAuth tokens, and a state several instances share."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext

from pydantic import SecretStr

from hitl_core.http import HttpClient, OAuthTokens, RetryPolicy
from hitl_core.state import MemoryState
from hitl_core.testing import ScriptedTransport, VirtualClock, reply

SECRET = "client-secret-7f3a"
FIRST = "refresh-first-91c2"


class Vendor:
    """A token endpoint whose refresh tokens work once, and an API that takes the last access token alone."""

    def __init__(self, *, life=1800, rotates=True, first=FIRST):
        self.life, self.rotates = life, rotates
        self.refresh, self.access = first, None
        self.issued = 0
        self.asked = []
        self.clock = VirtualClock()
        self.transport = ScriptedTransport(self.answer)
        self.core = HttpClient(self.transport, clock=self.clock, retry=RetryPolicy(random=lambda: 0.0))

    def slowly(self):
        """Let others have their turn while an answer is under way."""

        async def answer(request):
            await asyncio.sleep(0)
            return self.answer(request)

        return self.answering(answer)

    def answering(self, answer):
        self.transport = ScriptedTransport(answer)
        self.core = HttpClient(self.transport, clock=self.clock)
        return self

    def tokens(self, state=None, *, refresh=FIRST, **more):
        http = self.core.bind(base_url="https://vendor.test", key_header=None)
        options = {"client_id": "app", "client_secret": SecretStr(SECRET), "path": "oauth/tokens"} | more
        first = SecretStr(refresh) if refresh else None
        return OAuthTokens(http, state or MemoryState(), self.clock, refresh_token=first, **options)

    def api(self, auth):
        return self.core.bind(base_url="https://vendor.test/api", auth=auth)

    def answer(self, request):
        if not request.url.endswith("/oauth/tokens"):
            return 200 if request.headers.get("authorization") == f"Bearer {self.access}" else 401
        told = json.loads(request.body)
        self.asked.append(told)
        if told["grant_type"] == "refresh_token" and told["refresh_token"] != self.refresh:
            return reply(400, json={"error": "invalid_grant", "error_description": "customer words"})
        return self.issue(told["grant_type"])

    def issue(self, grant="refresh_token"):
        self.issued += 1
        self.access = f"access-{self.issued:04}"
        told = {"access_token": self.access, "token_type": "bearer", "scope": "read write"}
        if self.life is not None:
            told["expires_in"] = self.life
        if grant == "refresh_token" and self.rotates:
            told["refresh_token"] = self.refresh = f"refresh-{self.issued:04}"
        return reply(201, json=told)


class Unlocked(MemoryState):
    """A state that instances share without keeping one another out."""

    def __init__(self):
        super().__init__()
        self.stored = asyncio.Event()

    async def put(self, key, value, expect):
        done = await super().put(key, value, expect)
        self.stored.set()
        return done

    def lock(self, name):
        return nullcontext()
