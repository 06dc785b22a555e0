"""Vendors that can do less than the reference helpdesk pass the kit as well, each by the rules that apply to it."""

from dataclasses import replace

import pytest

from hitl_core.testing.reference import ReferenceProvider

from .mutation import ReferenceSuite


class PlainProvider(ReferenceProvider):
    """A vendor without notes, whose stop carries no text."""

    __module__ = ReferenceProvider.__module__  # not a package somebody is writing, with points still to do
    info = replace(
        ReferenceProvider.info,
        capabilities=ReferenceProvider.info.capabilities.model_copy(
            update={"stop_message": False, "internal_notes": False}
        ),
    )


class TestPlainVendor(ReferenceSuite):
    @pytest.fixture
    def provider(self):
        return PlainProvider
