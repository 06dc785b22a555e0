"""What staff, customers and machines do to tickets, by django-helpdesk's own functions and forms."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from hitl_core import Agent
from hitl_core.testing.simulator import SimFile, SimMessage, SimSession, SimUser
from hitl_django_helpdesk.simulator import site
from hitl_django_helpdesk.texts import role_of

__all__ = ["Office"]

_T = TypeVar("_T")


@functools.cache
def _installed() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="hitl-django-helpdesk-")
    atexit.register(folder.cleanup)
    database = site.install(Path(folder.name))
    _furnish()
    _leave()
    return Path(shutil.copyfile(database, database.with_suffix(".new"))).with_suffix(".sqlite3")


def _leave() -> None:
    from django.db import connections

    connections.close_all()


def _furnish() -> None:
    from django.contrib.auth.models import User
    from helpdesk.models import CustomField, Queue

    from hitl_django_helpdesk.provider import CUSTOM_FIELDS

    User.objects.create_user(**site.BOT, is_staff=True)
    for name in site.STAFF:
        User.objects.create_user(name, email=f"{name}@helpdesk.example", is_staff=True)
    for title in ("Support", "Billing"):
        Queue.objects.create(title=title, slug=title.lower())
    for order, name in enumerate(CUSTOM_FIELDS):
        field = {"label": name, "data_type": "varchar", "max_length": 500, "required": False, "staff_only": True}
        CustomField.objects.create(name=name, ordering=order, **field)


class Office:
    """The helpdesk from within; every method but :meth:`call` runs in a thread of Django's own."""

    def __init__(self) -> None:
        # In a thread of its own: Django keeps its hands off databases where an event loop runs.
        with ThreadPoolExecutor(max_workers=1) as thread:
            self._database = thread.submit(_installed).result()

    def asgi(self) -> Any:
        """Return the site as an ASGI application."""
        from django.core.asgi import get_asgi_application

        return get_asgi_application()

    def call(self, what: Callable[..., _T], *args: Any, **kwargs: Any) -> _T:
        """Call ``what`` and leave no connection behind."""
        try:
            return what(*args, **kwargs)
        finally:
            _leave()

    def empty(self) -> None:
        """Begin anew: a bot, two agents, two queues, the custom fields of HITL, and no ticket."""
        _leave()
        shutil.copyfile(self._database.with_suffix(".new"), self._database)

    # What is done

    def update(self, ticket_id: str, agent_id: str | None, *, uploads: Sequence[SimFile] = (), **changes: Any) -> None:
        """Update a ticket as the form of its page does; by the customer when there is no agent."""
        from django.contrib.auth.models import AnonymousUser, User
        from django.core.files.uploadedfile import SimpleUploadedFile
        from helpdesk.update_ticket import update_ticket

        user = AnonymousUser() if agent_id is None else User.objects.get(pk=int(agent_id))
        files = [SimpleUploadedFile(file.name, file.content, file.content_type) for file in uploads]
        update_ticket(user, self._ticket(ticket_id), title="", files=files, **changes)

    def escalate(self, ticket_id: str) -> None:
        """Let the escalation raise the priority, as its command does every few minutes."""
        from datetime import timedelta

        from django.core.management import call_command
        from helpdesk.models import Ticket

        ticket = self._ticket(ticket_id)
        ticket.queue.escalate_days = 1
        ticket.queue.save()
        Ticket.objects.filter(pk=ticket.pk).update(created=ticket.created - timedelta(days=3))
        call_command("escalate_tickets", verbosity=0)

    def submit(self, text: str) -> str:
        """Open a ticket by the public form."""
        from helpdesk.forms import PublicTicketForm

        data = {"queue": "1", "title": "By the form", "body": text, "priority": "3"}
        form = PublicTicketForm(data={**data, "submitter_email": "stranger@example.net"})
        form.fields["queue"].choices = [("1", "Support")]
        if not form.is_valid():
            raise ValueError(form.errors.as_text())
        return str(form.save(user=None).pk)

    def merge(self, ticket_id: str, into: str) -> None:
        """Merge a ticket into another: what the page of merging does to the one that ends."""
        ticket = self._ticket(ticket_id)
        ticket.merged_to, ticket.status = self._ticket(into), ticket.DUPLICATE_STATUS
        ticket.save()

    def drop_custom_fields(self) -> None:
        """Take the custom fields of HITL away."""
        from helpdesk.models import CustomField

        CustomField.objects.all().delete()

    # What is seen

    def _ticket(self, ticket_id: str) -> Any:
        from helpdesk.models import Ticket

        found = Ticket.objects.filter(pk=int(ticket_id)).first() if ticket_id.isdecimal() else None
        if found is None:
            raise KeyError(ticket_id)
        return found

    def session(self, ticket_id: str) -> SimSession:
        """Return a ticket as its page shows it."""
        ticket = self._ticket(ticket_id)
        ticket.set_custom_field_values()
        return SimSession(
            id=str(ticket.pk),
            title=ticket.title,
            open=ticket.status in ticket.OPEN_STATUSES,
            agent=Agent(id=str(ticket.assigned_to_id)) if ticket.assigned_to_id else None,
            team=str(ticket.queue_id),
            user_id=ticket.custom_hitl_customer or None,
            external_id=ticket.custom_hitl_conversation or None,
            messages=tuple(_message(followup) for followup in ticket.followup_set.order_by("pk")),
            facts={"priority": ticket.priority, "submitter_email": ticket.submitter_email or None},
        )

    def sessions(self) -> list[SimSession]:
        """Return every ticket."""
        from helpdesk.models import Ticket

        return [self.session(str(pk)) for pk in Ticket.objects.order_by("pk").values_list("pk", flat=True)]

    def users(self) -> list[SimUser]:
        """Return whom tickets name as their customers: there are no other records of them."""
        from helpdesk.models import Ticket

        found: dict[str, SimUser] = {}
        for ticket in Ticket.objects.order_by("pk"):
            ticket.set_custom_field_values()
            email = ticket.submitter_email or None
            id_ = ticket.custom_hitl_customer or email
            if id_:
                found.setdefault(id_, SimUser(id=id_, external_id=ticket.custom_hitl_customer, email=email))
        return list(found.values())


def _message(followup: Any) -> SimMessage:
    ours = followup.user is not None and followup.user.get_username() == site.BOT["username"]
    staff = followup.user is not None and followup.user.is_staff
    role = role_of(followup.comment or "") if ours else "agent" if staff else "user"
    files = [_content(file) for file in followup.followupattachment_set.order_by("pk")]
    return SimMessage(
        id=str(followup.pk),
        role="system" if ours and role == "agent" else role,
        text=followup.comment or "",
        public=followup.public,
        files=tuple(files),
        at=followup.date,
    )


def _content(attachment: Any) -> SimFile:
    with attachment.file.open() as opened:
        return SimFile(name=attachment.filename, content_type=attachment.mime_type, content=opened.read())
