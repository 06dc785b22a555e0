"""The reference provider with other capabilities, limits and manners: what mutants and further suites start from."""

from dataclasses import replace

import hitl_core as hitl
from hitl_core.testing.reference import ReferenceProvider


def declaring(base=ReferenceProvider, *, limits=None, options=None, **capabilities):
    """Return a provider's info with some of it declared otherwise."""
    return replace(
        base.info,
        capabilities=base.info.capabilities.model_copy(update=capabilities),
        limits=base.info.limits.model_copy(update=limits or {}),
        options=options or base.info.options,
    )


def changed(request, **fields):
    """Return a request with other fields."""
    return request.model_copy(update=fields)


def text_of(message):
    """Return the words of a text message, else nothing."""
    return message.text if isinstance(message, hitl.Text) else ""
