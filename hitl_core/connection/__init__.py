"""One account of one provider, with everything around the bare hooks: plans, extensions, errors, secrets, echoes."""

from hitl_core.connection.incoming import Incoming
from hitl_core.connection.outgoing import Outgoing

__all__ = ["Connection"]


class Connection(Outgoing, Incoming):
    """An account, ready to use inside ``async with``; made by :func:`hitl_core.connect`.

    Every method raises :class:`~hitl_core.errors.ProviderError` subclasses for what the helpdesk refuses or fails at,
    and :class:`~hitl_core.errors.UnsupportedError` for what it does not offer.
    """
