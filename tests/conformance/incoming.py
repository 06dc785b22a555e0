"""What the kit says of deliveries and events, for vendors whose manners differ in these alone."""

from hitl_core.testing.conformance.groups.authenticity import AuthenticityTests
from hitl_core.testing.conformance.groups.deliveries import DeliveryTests
from hitl_core.testing.conformance.groups.events import EventTests
from hitl_core.testing.conformance.groups.facts import FactTests
from hitl_core.testing.conformance.groups.ignoring import IgnoringTests
from hitl_core.testing.conformance.groups.nonsense import NonsenseTests
from hitl_core.testing.conformance.groups.registration import RegistrationTests
from hitl_core.testing.conformance.groups.states import StateTests


class IncomingSuite(
    AuthenticityTests,
    DeliveryTests,
    NonsenseTests,
    RegistrationTests,
    EventTests,
    StateTests,
    IgnoringTests,
    FactTests,
):
    """The groups about what comes from the helpdesk, in memory."""

    patience = 0
