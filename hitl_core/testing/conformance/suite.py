"""The whole kit as one class."""

from __future__ import annotations

from hitl_core.testing.conformance.account import AccountTests
from hitl_core.testing.conformance.attachments import AttachmentTests
from hitl_core.testing.conformance.authenticity import AuthenticityTests
from hitl_core.testing.conformance.changes import ChangeTests
from hitl_core.testing.conformance.completeness import CompletenessTests
from hitl_core.testing.conformance.configuring import SettingsTests
from hitl_core.testing.conformance.contract import ContractTests
from hitl_core.testing.conformance.deliveries import DeliveryTests
from hitl_core.testing.conformance.downloads import DownloadTests
from hitl_core.testing.conformance.echoes import EchoTests
from hitl_core.testing.conformance.events import EventTests
from hitl_core.testing.conformance.facts import FactTests
from hitl_core.testing.conformance.failures import FailureTests
from hitl_core.testing.conformance.handling import HandlingTests
from hitl_core.testing.conformance.history import HistoryTests
from hitl_core.testing.conformance.ignoring import IgnoringTests
from hitl_core.testing.conformance.interruptions import InterruptionTests
from hitl_core.testing.conformance.nonsense import NonsenseTests
from hitl_core.testing.conformance.outages import OutageTests
from hitl_core.testing.conformance.records import RecordTests
from hitl_core.testing.conformance.registration import RegistrationTests
from hitl_core.testing.conformance.reopening import ReopenTests
from hitl_core.testing.conformance.repeating import RepeatTests
from hitl_core.testing.conformance.rotation import RotationTests
from hitl_core.testing.conformance.searching import SearchTests
from hitl_core.testing.conformance.secrecy import SecrecyTests
from hitl_core.testing.conformance.sending import SendTests
from hitl_core.testing.conformance.sessions import SessionTests
from hitl_core.testing.conformance.starting import StartTests
from hitl_core.testing.conformance.states import StateTests
from hitl_core.testing.conformance.stopping import StopTests
from hitl_core.testing.conformance.users import UserTests
from hitl_core.testing.conformance.waiting import WaitTests

__all__ = ["ProviderConformance"]


class ProviderConformance(
    ContractTests,
    SettingsTests,
    AccountTests,
    UserTests,
    StartTests,
    HistoryTests,
    SessionTests,
    SendTests,
    AttachmentTests,
    ReopenTests,
    RepeatTests,
    EchoTests,
    HandlingTests,
    StopTests,
    AuthenticityTests,
    DeliveryTests,
    NonsenseTests,
    RegistrationTests,
    EventTests,
    StateTests,
    IgnoringTests,
    FactTests,
    SearchTests,
    RecordTests,
    ChangeTests,
    DownloadTests,
    FailureTests,
    OutageTests,
    WaitTests,
    InterruptionTests,
    SecrecyTests,
    RotationTests,
    CompletenessTests,
):
    """Every standard test. Subclass it, override the fixtures ``provider`` and ``simulator``, and run pytest."""
