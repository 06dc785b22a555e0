"""Mutants for the group ``starting``."""

from typing import Any

from pydantic import ConfigDict, field_validator

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceOptions, ReferenceProvider

from .mutation import kills
from .variants import changed, declaring
from .vendors import HtmlProvider, HtmlSimulator


@kills("test_a_start_opens_one_session_under_its_title_for_the_customer")
class OpensTwo(ReferenceProvider):
    """Opens a ticket for each attempt of its own making."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        await super().create_ticket(changed(request, key=f"{request.key}.spare"))
        return await super().create_ticket(request)


@kills("test_a_start_opens_one_session_under_its_title_for_the_customer")
class CallsEverythingHandOff(ReferenceProvider):
    """Gives every ticket the same title."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        return await super().create_ticket(changed(request, title="Hand-off"))


@kills("test_a_start_opens_one_session_under_its_title_for_the_customer")
class OpensForTheBot(ReferenceProvider):
    """Opens every ticket for a customer of its own."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        bot = await self.create_user(hitl.CreateUser(user=hitl.EndUser(external_id="bot"), key="bot"))
        return await super().create_ticket(changed(request, user=bot))


@kills("test_a_start_needs_neither_history_nor_description")
class NeedsADescription(ReferenceProvider):
    """Takes a description for granted."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        return await super().create_ticket(changed(request, description=request.description.strip()))


@kills("test_the_description_reaches_the_agents_once")
class DropsTheDescription(ReferenceProvider):
    """Relays the history alone."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        return await super().create_ticket(changed(request, description=None))


@kills("test_the_description_reaches_the_agents_once")
class SaysTheDescriptionTwice(ReferenceProvider):
    """Takes the description for a piece of history too."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        relay = (hitl.RelayItem(text=request.description or "-"), *request.relay)
        started = await super().create_ticket(changed(request, relay=relay))
        return changed(started, relayed=started.relayed - 1)


@kills("test_a_title_that_is_too_long_is_cut_and_not_refused")
class DeclaresNoTitleLimit(ReferenceProvider):
    """Leaves it to the helpdesk to refuse a long title."""

    info = declaring(limits={"title": None})


@kills("test_a_description_as_long_as_declared_fits_and_a_longer_one_is_refused_unsent")
class DeclaresTooMuch(ReferenceProvider):
    """Declares an opening longer than the helpdesk takes."""

    info = declaring(limits={"opening": hitl.TextLimit(max=4000)})


@kills("test_a_description_as_long_as_declared_fits_and_a_longer_one_is_refused_unsent")
class LeavesNoRoomForEscapingTheOpening(HtmlProvider):
    """Escapes what it opens with, and declares the limit of what the helpdesk takes afterwards."""

    simulator = HtmlSimulator
    info = declaring(HtmlProvider, limits={"opening": hitl.TextLimit(max=2000)})


@kills("test_a_description_as_long_as_declared_fits_and_a_longer_one_is_refused_unsent")
class CutsDescriptions(ReferenceProvider):
    """Cuts what it declares to take."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        return await super().create_ticket(changed(request, description=(request.description or "")[:1000]))


@kills("test_what_a_start_carries_arrives_as_it_was_written")
class EscapesForPlainText(ReferenceProvider):
    """Escapes for HTML, though the helpdesk takes plain text."""

    async def _call(self, operation, method, path, **request: Any):
        if operation == "start_hitl":
            text = request["json"].get("text", "").replace("&", "&amp;").replace("<", "&lt;")
            request["json"] = {**request["json"], "text": text}
        return await super()._call(operation, method, path, **request)


@kills("test_what_a_start_carries_arrives_as_it_was_written")
class StripsEmoji(ReferenceProvider):
    """Sends in title and text only what Latin-1 can write."""

    async def _call(self, operation, method, path, **request: Any):
        if operation == "start_hitl":
            title = request["json"]["title"].encode("latin-1", "ignore").decode("latin-1")
            request["json"] = {**request["json"], "title": title}
        return await super()._call(operation, method, path, **request)


@kills("test_template_syntax_in_peoples_words_is_made_harmless")
class UndoesTheSpaces(ReferenceProvider):
    """Tidies white space, and with it what makes templates harmless."""

    async def _call(self, operation, method, path, **request: Any):
        if "text" in (request.get("json") or {}):
            request["json"] = {**request["json"], "text": request["json"]["text"].replace("{ ", "{")}
        return await super()._call(operation, method, path, **request)


@kills("test_template_syntax_in_peoples_words_is_made_harmless")
class CutsTemplatesOut(ReferenceProvider):
    """Throws away what looks like a template, and the customer's words with it."""

    async def _call(self, operation, method, path, **request: Any):
        if "text" in (request.get("json") or {}):
            request["json"] = {**request["json"], "text": request["json"]["text"].partition("{ ")[0] or "-"}
        return await super()._call(operation, method, path, **request)


@kills("test_every_priority_of_the_common_scale_is_taken")
class SaysNormal(ReferenceProvider):
    """Uses a word the helpdesk does not know for medium."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        words = {"medium": "normal"}
        options = {name: words.get(value, value) for name, value in request.options.items()}
        return await super().create_ticket(changed(request, options=options))


@kills("test_every_priority_of_the_common_scale_is_taken")
class KnowsOnePriority(ReferenceProvider):
    """Sends every priority as high."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        options = {name: "high" if name == "priority" else value for name, value in request.options.items()}
        return await super().create_ticket(changed(request, options=options))


class _AnyOptions(ReferenceOptions):
    model_config = ConfigDict(extra="ignore")


class _TalkativeOptions(ReferenceOptions):
    priority: str | None = None

    @field_validator("priority")
    @classmethod
    def _known(cls, value):
        if value not in {None, "low", "medium", "high", "urgent"}:
            msg = f"{value} is no priority"
            raise ValueError(msg)
        return value


class _LooseOptions(ReferenceOptions):
    priority: str | None = None


@kills("test_an_unknown_option_is_refused_before_anything_is_sent")
class TakesAnyOption(ReferenceProvider):
    """Ignores options it does not know."""

    info = declaring(options=_AnyOptions)


@kills("test_a_wrong_option_is_refused_without_repeating_it")
class RepeatsTheValue(ReferenceProvider):
    """Quotes a wrong value in the error."""

    info = declaring(options=_TalkativeOptions)


@kills("test_a_wrong_option_is_refused_without_repeating_it")
class LeavesTheCheckToTheHelpdesk(ReferenceProvider):
    """Declares any text as a priority."""

    info = declaring(options=_LooseOptions)


@kills("test_our_id_is_written_on_the_session")
class ForgetsOurId(ReferenceProvider):
    """Writes no external id."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        return await super().create_ticket(changed(request, external_id=None))
