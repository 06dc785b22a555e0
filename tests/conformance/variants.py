"""The reference provider with other capabilities, limits and manners: what mutants and further suites start from."""

from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider, ReferenceSimulator


def declaring(base=ReferenceProvider, *, limits=None, options=None, **capabilities):
    """Return a provider's info with some of it declared otherwise."""
    return replace(
        base.info,
        capabilities=base.info.capabilities.model_copy(update=capabilities),
        limits=base.info.limits.model_copy(update=limits or {}),
        options=options or base.info.options,
    )


def changed(request, /, **fields):
    """Return a request with other fields."""
    return request.model_copy(update=fields)


def text_of(message):
    """Return the words of a text message, else nothing."""
    return message.text if isinstance(message, hitl.Text) else ""


def is_message(method, path):
    """Whether a request adds a message to a ticket."""
    return method == "POST" and path.endswith("/messages")


class Bending(ReferenceProvider):
    """Changes the messages it writes on their way to the helpdesk."""

    def bend(self, body: dict[str, Any]) -> None:
        """Change the body of one message."""
        raise NotImplementedError

    async def _call(self, operation, method, path, **request: Any):
        if is_message(method, path):
            request["json"] = dict(request["json"])
            self.bend(request["json"])
        return await super()._call(operation, method, path, **request)


class UnkeyedStarts(ReferenceProvider):
    """A helpdesk that knows no keys."""

    info = declaring(idempotent=frozenset())

    async def _call(self, operation, method, path, **request: Any):
        request.pop("key", None)
        return await super()._call(operation, method, path, **request)


class KeyedSends(ReferenceProvider):
    """A helpdesk that honours the keys of messages."""

    info = declaring(idempotent=frozenset({"start_hitl", "send_message"}))
    _key: ContextVar[str] = ContextVar("key")

    @hitl.hookimpl(specname="send_message")
    async def add_message(self, request):
        self._key.set(request.key)
        return await super().add_message(request)

    async def _call(self, operation, method, path, **request: Any):
        if is_message(method, path) and operation == "send_message":
            request["key"] = self._key.get()
        return await super()._call(operation, method, path, **request)


class StructuredStarts(ReferenceProvider):
    """A helpdesk that takes history entry by entry."""

    info = declaring(structured_history=True)
    _relay: ContextVar[Any] = ContextVar("relay")

    def entries(self):
        """Return the entries of the start in progress, as the helpdesk takes them."""
        sources = [entry for item in self._relay.get() for entry in item.source]
        return [{"role": entry.author.role.value, "text": text_of(entry.message)} for entry in sources]

    @hitl.hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        self._relay.set(request.relay)
        started = await super().create_ticket(changed(request, relay=()))
        return started.model_copy(update={"relayed": len(request.relay)})

    async def _call(self, operation, method, path, **request: Any):
        if operation == "start_hitl" and path == "tickets":
            request["json"] = {**request["json"], "transcript": self.entries()}
        return await super()._call(operation, method, path, **request)


class NoNotes(ReferenceProvider):
    """A helpdesk without internal notes."""

    info = declaring(internal_notes=False)


class NoFiles(ReferenceProvider):
    """A helpdesk that takes no files."""

    info = declaring(attachments=False, message_types=frozenset({"text"}))


class NeverReopens(Bending):
    """A helpdesk whose tickets stay closed."""

    info = declaring(reopen="never")

    def bend(self, body):
        body["reopen"] = False


class AlwaysReopens(Bending):
    """A helpdesk that opens a ticket again for every message."""

    info = declaring(reopen="always")

    def bend(self, body):
        body["reopen"] = True


class SealingSimulator(ReferenceSimulator):
    """A helpdesk whose agents close tickets for good."""

    closes_for_good = True
