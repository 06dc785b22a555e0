"""The HITL provider `django-helpdesk`."""

from hitl_django_helpdesk.provider import DjangoHelpdeskProvider
from hitl_django_helpdesk.settings import DjangoHelpdeskOptions, DjangoHelpdeskSettings

__all__ = ["DjangoHelpdeskOptions", "DjangoHelpdeskProvider", "DjangoHelpdeskSettings"]
