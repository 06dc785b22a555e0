"""The provider passes HITL's conformance kit against the real django-helpdesk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import pytest
from hitl_django_helpdesk import DjangoHelpdeskProvider
from hitl_django_helpdesk.simulator import DjangoHelpdeskSimulator

from hitl_core import Clock
from hitl_core.testing import ProviderConformance

NO_CUSTOMERS = "django-helpdesk keeps no customers, only an address on each ticket: create_user makes nobody"
SENDS_NOTHING = "django-helpdesk keeps no customers, so create_user sends nothing that could fail; see test_refusals.py"


def gaps(reason: str, *names: str) -> Callable[[type[ProviderConformance]], type[ProviderConformance]]:
    """Expect standard tests to fail, as ``@pytest.mark.xfail`` on an override of each would."""

    def mark(cls: type[ProviderConformance]) -> type[ProviderConformance]:
        def overridden(name: str) -> Callable[..., Awaitable[None]]:
            async def test(self: Any, room: Any) -> None:
                await getattr(super(cls, self), name)(room)

            test.__name__ = name  # by which the kit knows what the test needs
            return test

        for name in names:
            setattr(cls, name, pytest.mark.xfail(reason=reason)(overridden(name)))
        return cls

    return mark


@gaps(
    NO_CUSTOMERS,
    "test_a_new_customer_is_created_once",
    "test_a_customer_who_exists_is_neither_renamed_nor_given_another_id",
    "test_a_customer_without_an_e_mail_address_gets_none",
    "test_an_e_mail_address_alone_is_enough",
    "test_a_name_in_any_script_arrives_as_it_is",
    "test_somebody_else_with_the_same_e_mail_address_stays_who_they_are",
    "test_two_at_once_make_one_customer",
    "test_a_repeat_after_a_lost_answer_makes_one_customer",
    "test_what_the_vendor_cannot_take_of_a_customer_is_left_out",
)
@gaps(
    SENDS_NOTHING,
    "test_a_call_can_be_cancelled_in_the_middle_of_a_request",
    "test_a_connection_is_usable_after_a_cancelled_call",
    "test_a_rate_limited_call_waits_as_long_as_it_was_asked_to",
    "test_a_busy_helpdesk_is_waited_for_as_long_as_it_asks",
    "test_a_wait_that_is_too_long_is_told_instead",
    "test_a_helpdesk_that_cannot_be_reached_is_unavailable",
    "test_a_refusal_is_told_by_its_class",
    "test_a_failing_helpdesk_is_unavailable_or_leaves_a_write_in_doubt",
    "test_an_error_says_all_that_is_needed_to_act",
    "test_credentials_do_not_follow_a_redirect",
    "test_a_gateways_page_is_an_error_like_any_other",
    "test_an_answer_that_cannot_be_read_is_an_error",
)
class TestDjangoHelpdesk(ProviderConformance):
    """Django in memory, by ASGI."""

    # What the real application logs in this process is not the provider's.
    helpdesk_loggers: ClassVar[tuple[str, ...]] = (*ProviderConformance.helpdesk_loggers, "django", "helpdesk")

    @pytest.fixture
    def provider(self) -> type[DjangoHelpdeskProvider]:
        return DjangoHelpdeskProvider

    @pytest.fixture
    def simulator(self, clock: Clock) -> DjangoHelpdeskSimulator:
        return DjangoHelpdeskSimulator(clock=clock)


class TestDjangoHelpdeskServed(TestDjangoHelpdesk):
    """The same on a port of this machine."""

    level: ClassVar = "served"
