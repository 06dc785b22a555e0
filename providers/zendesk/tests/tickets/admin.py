"""Webhooks and triggers of an account, as far as registering needs them."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

from hitl_core.state import MemoryState
from hitl_core.testing import reply

URL = "https://bot.test/webhooks/shop"
MODES = ["events", "triggers"]


class Admin:
    """Keeps what is made; ``troubles`` lists for a route what goes wrong next: ``"lost"`` or an answer."""

    def __init__(self, page=100):
        self.kept = {"webhooks": {}, "triggers": {}}
        self.troubles = {}
        self.page = page
        self.made = 0

    @property
    def webhooks(self):
        return list(self.kept["webhooks"].values())

    @property
    def triggers(self):
        return list(self.kept["triggers"].values())

    def __call__(self, request):
        parts = urlsplit(request.url)
        family, _, rest = parts.path.removeprefix("/api/v2/").partition("/")
        id_, _, more = rest.partition("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        trouble = self._trouble(f"{request.method} {family}", f"{request.method} {family}/{rest}")
        if trouble not in {None, "lost"}:
            return trouble
        answer = self._do(request.method, family, id_, more, query, json.loads(request.body or b"{}"))
        return reply(502) if trouble == "lost" else answer

    def _trouble(self, *routes):
        for route in routes:
            if self.troubles.get(route):
                return self.troubles[route].pop(0)
        return None

    def _do(self, method, family, id_, more, query, body):
        kept, name = self.kept[family], family.removesuffix("s")
        if not id_:
            return self._make(name, kept, body[name]) if method == "POST" else self._list(family, kept, query)
        if id_ not in kept:
            return reply(404, json={"error": "RecordNotFound"})
        if more == "signing_secret":
            return reply(json={"signing_secret": {"secret": f"signing-secret-of-{id_}", "algorithm": "SHA256"}})
        if method == "DELETE":
            del kept[id_]
            return reply(204)
        if method == "GET":
            return reply(json={name: kept[id_]})
        kept[id_] |= self._shown(name, body[name])
        return reply(204) if name == "webhook" else reply(json={name: kept[id_]})

    def _make(self, name, kept, told):
        self.made += 1
        id_ = f"01J{self.made:04}" if name == "webhook" else str(360000 + self.made)
        kept[id_] = self._shown(name, told) | {"id": id_ if name == "webhook" else int(id_)}
        return reply(201, json={name: kept[id_]})

    def _shown(self, name, told):
        """Triggers come back with their conditions in one place, fields in another order, and what Zendesk adds."""
        if name == "webhook":
            return dict(told)
        nested = {"all": told.get("all", []), "any": told.get("any", [])}
        actions = [{"value": action["value"], "field": action["field"]} for action in told.get("actions", [])]
        bare = {key: value for key, value in told.items() if key not in nested}
        return bare | {"conditions": nested, "actions": actions, "position": 7, "category_id": "1"}

    def _list(self, family, kept, query):
        found = [one for one in kept.values() if query.get("filter[name_contains]", "") in one.get("name", "")]
        start = int(query.get("page[after]", 0))
        end = start + min(int(query["page[size]"]), self.page)
        meta = {"has_more": end < len(found), "after_cursor": str(end) if end < len(found) else None}
        return reply(json={family: found[start:end], "meta": meta})


def connect(zendesk, state=None, **more):
    return zendesk.connect(state=state or MemoryState(), **more)


async def register(zendesk, state=None, url=URL, **more):
    async with connect(zendesk, state, **more) as connection:
        return await connection.register_webhook(url)


async def unregister(zendesk, state, **more):
    async with connect(zendesk, state, **more) as connection:
        await connection.unregister_webhook()


def written(zendesk):
    found = [route.rpartition("/")[0] or route for route in zendesk.writes]
    zendesk.requests.clear()
    return found
