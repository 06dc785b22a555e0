"""The whole kit as one class."""

from __future__ import annotations

from hitl_core.testing.conformance.groups.account import AccountTests
from hitl_core.testing.conformance.groups.attachments import AttachmentTests
from hitl_core.testing.conformance.groups.authenticity import AuthenticityTests
from hitl_core.testing.conformance.groups.changes import ChangeTests
from hitl_core.testing.conformance.groups.completeness import CompletenessTests
from hitl_core.testing.conformance.groups.configuring import SettingsTests
from hitl_core.testing.conformance.groups.contract import ContractTests
from hitl_core.testing.conformance.groups.deliveries import DeliveryTests
from hitl_core.testing.conformance.groups.downloads import DownloadTests
from hitl_core.testing.conformance.groups.echoes import EchoTests
from hitl_core.testing.conformance.groups.events import EventTests
from hitl_core.testing.conformance.groups.facts import FactTests
from hitl_core.testing.conformance.groups.failures import FailureTests
from hitl_core.testing.conformance.groups.handling import HandlingTests
from hitl_core.testing.conformance.groups.history import HistoryTests
from hitl_core.testing.conformance.groups.ignoring import IgnoringTests
from hitl_core.testing.conformance.groups.interruptions import InterruptionTests
from hitl_core.testing.conformance.groups.nonsense import NonsenseTests
from hitl_core.testing.conformance.groups.outages import OutageTests
from hitl_core.testing.conformance.groups.records import RecordTests
from hitl_core.testing.conformance.groups.registration import RegistrationTests
from hitl_core.testing.conformance.groups.reopening import ReopenTests
from hitl_core.testing.conformance.groups.repeating import RepeatTests
from hitl_core.testing.conformance.groups.rotation import RotationTests
from hitl_core.testing.conformance.groups.searching import SearchTests
from hitl_core.testing.conformance.groups.secrecy import SecrecyTests
from hitl_core.testing.conformance.groups.sending import SendTests
from hitl_core.testing.conformance.groups.sessions import SessionTests
from hitl_core.testing.conformance.groups.starting import StartTests
from hitl_core.testing.conformance.groups.states import StateTests
from hitl_core.testing.conformance.groups.stopping import StopTests
from hitl_core.testing.conformance.groups.users import UserTests
from hitl_core.testing.conformance.groups.waiting import WaitTests

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
