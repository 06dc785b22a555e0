"""Mutants for the group ``repeating``."""

from copy import copy
from dataclasses import replace
from typing import Any

import hitl_core as hitl
from hitl_core.http import RetryPolicy
from hitl_core.testing.reference import ReferenceProvider

from .mutation import kills
from .variants import KeyedSends, UnkeyedStarts, changed, is_message


class _Once(ReferenceProvider):
    """Takes the repeats out of the transport."""

    def __init__(self, ctx):
        super().__init__(ctx)
        self._http = copy(self._http)
        self._http._core = replace(self._http._core, retry=RetryPolicy(attempts=1))


class _Numbering(ReferenceProvider):
    """Gives every call a key of its own."""

    _calls = 0

    def fresh(self, request):
        type(self)._calls += 1
        return changed(request, key=f"{request.key}-{self._calls}")


@kills("test_the_same_start_twice_makes_one_session")
class InventsStartKeys(_Numbering):
    """Keys each start anew."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        return await super().create_ticket(self.fresh(request))


@kills("test_a_start_without_an_answer_is_repeated_and_makes_one_session")
class ForgetsTheKey(ReferenceProvider):
    """Declares that keys are honoured and sends none."""

    async def _call(self, operation, method, path, **request: Any):
        request.pop("key", None)
        return await super()._call(operation, method, path, **request)


@kills("test_a_start_without_an_answer_is_repeated_and_makes_one_session")
class RepeatsWithoutAKey(ReferenceProvider):
    """Calls a start harmless rather than keyed."""

    async def _call(self, operation, method, path, **request: Any):
        if request.pop("key", None):
            request["repeatable"] = True
        return await super()._call(operation, method, path, **request)


@kills("test_a_start_without_an_answer_is_in_doubt_and_not_repeated")
class RepeatsStartsBlindly(UnkeyedStarts):
    """Lets the transport repeat what opens a ticket."""

    async def _call(self, operation, method, path, **request: Any):
        if operation == "start_hitl":
            request["repeatable"] = True
        return await super()._call(operation, method, path, **request)


@kills("test_a_start_without_an_answer_is_in_doubt_and_not_repeated")
class TriesStartsAgain(UnkeyedStarts):
    """Opens another ticket when it cannot tell about the first."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        try:
            return await super().create_ticket(request)
        except hitl.AmbiguousOutcomeError:
            return await super().create_ticket(request)


@kills("test_a_start_without_an_answer_is_in_doubt_and_not_repeated")
class CallsDoubtAFailure(UnkeyedStarts):
    """Says that the helpdesk is down when it cannot tell."""

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        try:
            return await super().create_ticket(request)
        except hitl.AmbiguousOutcomeError as error:
            raise hitl.ProviderUnavailableError(error.message) from error


@kills("test_a_start_that_was_not_sent_is_tried_again_and_makes_one_session")
class GivesStartsUp(_Once):
    """Tries a start once."""


@kills("test_a_message_that_was_not_sent_is_tried_again_and_is_there_once")
class GivesMessagesUp(_Once):
    """Tries a message once."""


@kills("test_the_same_message_twice_is_one_message")
class InventsMessageKeys(_Numbering, KeyedSends):
    """Keys each message anew."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        return await super().add_message(self.fresh(request))


@kills("test_a_message_without_an_answer_is_repeated_and_is_there_once")
class ForgetsMessageKeys(ReferenceProvider):
    """Declares that the keys of messages are honoured and sends none."""

    info = KeyedSends.info


@kills("test_a_message_without_an_answer_is_in_doubt_and_not_repeated")
class RepeatsMessagesBlindly(ReferenceProvider):
    """Lets the transport repeat what adds a message."""

    async def _call(self, operation, method, path, **request: Any):
        if is_message(method, path):
            request["repeatable"] = True
        return await super()._call(operation, method, path, **request)


@kills("test_a_message_without_an_answer_is_in_doubt_and_not_repeated")
class SendsMessagesAgain(ReferenceProvider):
    """Sends a message again when it cannot tell about the first."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        try:
            return await super().add_message(request)
        except hitl.AmbiguousOutcomeError:
            return await super().add_message(request)


@kills("test_a_message_without_an_answer_is_in_doubt_and_not_repeated")
class TakesDoubtForSuccess(ReferenceProvider):
    """Believes that what was not answered was done."""

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        try:
            return await super().add_message(request)
        except hitl.AmbiguousOutcomeError:
            return hitl.SentMessage()
