"""What the kit says of deliveries and events, for vendors whose manners differ in these alone."""

from hitl_core.testing.conformance.authenticity import AuthenticityTests
from hitl_core.testing.conformance.deliveries import DeliveryTests
from hitl_core.testing.conformance.events import EventTests
from hitl_core.testing.conformance.facts import FactTests
from hitl_core.testing.conformance.ignoring import IgnoringTests
from hitl_core.testing.conformance.nonsense import NonsenseTests
from hitl_core.testing.conformance.registration import RegistrationTests
from hitl_core.testing.conformance.states import StateTests


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
