"""The real django-helpdesk, on SQLite, in a simulator's place."""

from hitl_django_helpdesk.simulator.app import DjangoHelpdeskSimulator

__all__ = ["DjangoHelpdeskSimulator"]
