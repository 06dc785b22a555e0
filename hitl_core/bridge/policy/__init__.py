"""What customers and agents are told, and when; opening hours; which helpdesk a hand-off goes to.

policy = Policy(on_handoff_message="One moment, {user_name|please}.", agent_assigned_timeout_seconds=300)
policy.text("on_handoff_message", locale="de-CH", user_name="Ada")   # None: say nothing
policy.is_close_command(message, locale="de-CH")
"""

from hitl_core.bridge.policy.fields import FrozenPolicy, Policy
from hitl_core.bridge.policy.hours import BusinessHours
from hitl_core.bridge.policy.locales import LocaleTexts
from hitl_core.bridge.policy.routing import Route, Routing, Start, When, choose
from hitl_core.bridge.policy.texts import AGENT_TEXTS, NOTHING, TEXTS, TextName, Variables

__all__ = [
    "AGENT_TEXTS",
    "NOTHING",
    "TEXTS",
    "BusinessHours",
    "FrozenPolicy",
    "LocaleTexts",
    "Policy",
    "Route",
    "Routing",
    "Start",
    "TextName",
    "Variables",
    "When",
    "choose",
]
