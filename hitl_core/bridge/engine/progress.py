"""How an effect is carried out: step by step, each step committed before it is taken.

An effect may need several writes: a customer found, a session opened in steps, a history sent in parts. One call of
:meth:`Jobs.advance` makes at most one write that cannot be repeated blindly. Before it, the engine has committed that
this attempt is about to be made, with everything it is made of; after it, what came of it. A process that dies in
between leaves a row that says "attempting", and whoever takes over sets :attr:`Progress.unclear_since`: the attempt is
looked up, or repeated under its key, never repeated blindly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from pydantic import AwareDatetime, Field, JsonValue

from hitl_core._model import Model
from hitl_core.bridge.handoff.effects import AnyEffect
from hitl_core.bridge.handoff.inputs import EffectDone, EffectFailed
from hitl_core.calls import SendMessage, SessionState, StartedSession, StartPlan, StopHitl
from hitl_core.people import ExternalUser
from hitl_core.sessions import HistoryEntry, HitlSession, SessionRef

__all__ = ["Advance", "Busy", "Directory", "Hold", "Jobs", "Progress", "UserClaim"]


class Progress(Model):
    """How far an effect has come; stored between its steps.

    :param began_at: since when it is being tried: patience is counted from here. Counted anew once a part of several
        is settled, and after the account was mended.
    :param failures: attempts in a row that came to nothing, for the back-off.
    :param unclear_since: when the earliest attempt was made that may have taken effect, while that is not known.
    :param parts: the messages to send: a message's parts, or the history an opening could not carry.
    :param sent: how many of ``parts`` are settled.
    :param user: the customer as the helpdesk knows them.
    :param plan: of a start; stored before its first attempt.
    :param step: of a start: number of its next step; of a message: 1 once it goes without a record of its writer; of
        a watch: how many of its looks are over.
    :param resume: of a start: what the last step handed back.
    :param session: of a start: the session, as soon as there is one.
    :param started: of a start: what its last step gave.
    :param stop: of a stop: its own request, once the last text is sent.
    :param reported: the bridge knows that the session exists.
    """

    began_at: AwareDatetime | None = None
    failures: int = 0
    unclear_since: AwareDatetime | None = None
    parts: tuple[SendMessage, ...] = ()
    sent: int = 0
    user: ExternalUser | None = None
    plan: StartPlan | None = None
    step: int = 0
    resume: dict[str, JsonValue] | None = Field(default=None, repr=False)
    session: HitlSession | None = None
    started: StartedSession | None = None
    stop: StopHitl | None = None
    reported: bool = False

    def stored(self) -> str:
        """Return its JSON without the fields that were never set.

        Those inside of them are all there: a message that leaves its ``type`` out cannot be read again.
        """
        return self.model_dump_json(include=self.model_fields_set)


@dataclass(frozen=True, slots=True)
class Hold:
    """The account itself refuses us: nothing more is tried on it until it is mended (guarantee 5).

    :param detail: what it said, and how to mend it.
    """

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What one step came to.

    :param progress: where the effect stands now.
    :param verdict: ``again``: another step is to be taken, after ``wait`` seconds; ``done`` and ``failed`` end it.
    :param report: what the hand-off is to be told. A start reports its session as soon as it exists, and goes on.
    :param sent_ids: the helpdesk's ids of what was written, for echo suppression.
    :param session: where they were written, or the session that exists now.
    :param cursor: where reading a new session begins.
    :param state: how the session stands, where an answer told.
    :param dead: for a person to look at, although the effect goes on: what could not be done.
    :param hold: the account has to be mended first; no attempt was burned.
    """

    progress: Progress
    verdict: Literal["again", "done", "failed"]
    wait: float = 0.0
    report: EffectDone | EffectFailed | None = None
    sent_ids: tuple[str, ...] = ()
    session: HitlSession | None = None
    cursor: str | None = None
    state: SessionState | None = None
    dead: EffectFailed | None = None
    hold: Hold | None = None

    @property
    def goes_on(self) -> bool:
        """Whether another step follows as part of the same try: this one came to what it was for."""
        progress = self.progress
        waits = self.wait > 0 or self.hold is not None
        return self.verdict == "again" and not (waits or progress.failures or progress.unclear_since)


@dataclass(frozen=True, slots=True)
class UserClaim:
    """Nobody else is making this customer's record: do it, then :meth:`Directory.keep_user`.

    :param known: what an earlier call gave, when only the facts about them have changed.
    """

    known: ExternalUser | None = None


class Busy:
    """Somebody else is making this customer's record right now; ask again in a moment."""


ClaimedUser: TypeAlias = "ExternalUser | UserClaim | Busy"


class Directory(Protocol):
    """What carrying out an effect has to look up; the engine's store answers."""

    async def session_ids(self, connection: str) -> frozenset[str]:
        """Return the ids of the sessions of an account that are accounted for; the last few thousand."""
        ...

    async def own_message_ids(self, session: SessionRef) -> frozenset[str]:
        """Return the helpdesk's ids of what we wrote in a session; the last few thousand."""
        ...

    async def claim_user(self, connection: str, user_key: str, fingerprint: str) -> ClaimedUser:
        """Ask for a customer's record (behaviour F05): it is known, or ours to make, or being made by another.

        :param fingerprint: of what the bot knows of them; a record with another one is to be brought up to date.
        """
        ...

    async def keep_user(self, connection: str, user_key: str, fingerprint: str, user: ExternalUser | None) -> None:
        """Keep what was made; ``None`` gives the claim back."""
        ...

    async def start_progress(self, effect_key: str) -> Progress | None:
        """Return how far a start has come, for :class:`~hitl_core.bridge.handoff.effects.WatchStart`."""
        ...

    async def shown_keys(self, session: SessionRef, vendor_message_id: str) -> tuple[str, ...]:
        """Return the keys an agent's message was shown to the customer under (behaviour S006, S081)."""
        ...

    async def transcript(self, handoff_id: str) -> tuple[HistoryEntry, ...]:
        """Return what customer and agents said during a hand-off, oldest first."""
        ...

    async def bot_has(self, conversation_id: str) -> bool:
        """Whether the bot has a conversation now."""
        ...


class Jobs(Protocol):
    """Carries the effects of one side out."""

    def plan(self, effect: AnyEffect) -> Progress:
        """Say what an effect consists of, without I/O; stored with it before anything is tried.

        :raises HitlError: it cannot be carried out at all, such as a message that is refused by our own checks.
        """
        ...

    async def advance(self, effect: AnyEffect, progress: Progress, *, conversation_id: str, handoff_id: str) -> Advance:
        """Take one step; raises nothing but cancellation."""
        ...
