"""Mutants for the group ``history``."""

from typing import Any

import hitl_core as hitl
from hitl_core.relay import compose_opening
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills
from .variants import StructuredStarts, changed, declaring, text_of

_EVERY = "test_every_relay_strategy_hands_over_what_it_promises_once_and_in_order"


@kills(_EVERY)
class CountsOneTooMany(ReferenceProvider):
    """Says that one item more is placed than is."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        started = await super().create_ticket(request)
        return changed(started, relayed=started.relayed + 1)


@kills(_EVERY)
class CountsNothing(ReferenceProvider):
    """Places the history and says that nothing is placed."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        return changed(await super().create_ticket(request), relayed=0)


@kills(_EVERY)
class ForgetsFiles(ReferenceProvider):
    """Uploads files and does not name them on the message."""

    async def _content(self, message):
        content = await super()._content(message)
        return {"text": content["text"] or "a file"}


@kills("test_a_summary_comes_before_the_history")
class AddsTheSummaryLast(ReferenceProvider):
    """Opens with the entries, and adds what stands for none of them afterwards."""

    info = declaring(structured_history=True)

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        entries = tuple(item for item in request.relay if item.source)
        started = await super().create_ticket(changed(request, relay=entries))
        path = f"tickets/{started.session.id}/messages"
        for item in request.relay:
            if not item.source:
                await self._call("start_hitl", "POST", path, json={"text": item.text})
        return changed(started, relayed=len(request.relay))


@kills("test_internal_parts_of_a_history_are_never_public")
class PlacesNotesInTheOpening(ReferenceProvider):
    """Does not look at what is internal."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        open_relay = tuple(changed(item, internal=False) for item in request.relay)
        return await super().create_ticket(changed(request, relay=open_relay))


@kills("test_internal_parts_of_a_history_are_never_public")
class WritesNotesInPublic(ReferenceProvider):
    """Does not look at the visibility."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        return await super().add_message(changed(request, visibility="public"))


@kills("test_every_kind_of_message_in_a_history_can_be_read")
class ShowsItemsWithWordsAlone(ReferenceProvider):
    """Relays the texts of the entries rather than the items made of them."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        relay = tuple(changed(item, text=_own_words(item)) if item.text else item for item in request.relay)
        return await super().create_ticket(changed(request, relay=relay))


def _own_words(item):
    return "\n".join(text_of(entry.message) or "[ no text ]" for entry in item.source)


@kills("test_every_kind_of_message_in_a_history_can_be_read")
class DropsWhatCannotBeFetched(ReferenceProvider):
    """Writes a label where a file cannot be had, without its address."""

    async def _content(self, message):
        content = await super()._content(message)
        return content if "files" in content else {"text": content["text"].partition(": http")[0]}


@kills("test_a_history_too_long_for_the_opening_arrives_whole_and_in_order")
class CutsTheOpening(ReferenceProvider):
    """Puts the whole history into the opening and cuts it where that ends."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        text, relayed = compose_opening(request.description, request.relay, None)
        cut = changed(request, description=text[:2000], relay=())
        return changed(await super().create_ticket(cut), relayed=relayed)


@kills("test_a_history_too_long_for_the_opening_arrives_whole_and_in_order")
class PlacesTheNewest(ReferenceProvider):
    """Opens with the end of the history and leaves the beginning for later."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        first, *rest = request.relay or (None,)
        relay = (*rest[-1:], first) if rest else request.relay
        return await super().create_ticket(changed(request, relay=relay))


class _Posing(ReferenceProvider):
    def pose(self, body: dict[str, Any]) -> None:
        raise NotImplementedError

    async def _call(self, operation, method, path, **request: Any):
        if operation == "send_message" and "role" in (request.get("json") or {}):
            self.pose(request["json"])
        return await super()._call(operation, method, path, **request)


@kills("test_a_history_is_never_shown_as_a_human_agents_words")
class PosesAsAnAgent(_Posing):
    """Writes what the bot said as an agent's message."""

    def pose(self, body):
        body["role"] = "agent" if body["role"] == "bot" else body["role"]


@kills("test_entries_relayed_one_by_one_keep_their_authors")
class WritesAllAsTheCustomer(_Posing):
    """Writes what the bot said as the customer's words."""

    def pose(self, body):
        body["role"] = "user"


@kills("test_a_structured_history_keeps_every_entry_apart")
class PutsTheHistoryIntoOneEntry(StructuredStarts):
    """Declares that it takes entries and writes them as one text."""

    def entries(self):
        return [{"role": "bot", "text": "\n".join(entry["text"] for entry in StructuredStarts.entries(self))}]


@kills("test_a_structured_history_keeps_every_entry_apart")
class GivesAllToTheBot(StructuredStarts):
    """Writes every entry as the bot's."""

    def entries(self):
        return [{**entry, "role": "bot"} for entry in super().entries()]
