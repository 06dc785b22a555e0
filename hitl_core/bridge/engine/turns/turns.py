"""Turns: in one transaction, what happened to some conversations is read, decided and written.

Whoever holds a conversation's row decides; what they decide, the inputs it answers and the effects it asks for become
visible together or not at all. Attempts are made after the commit that announced them, and what they came to is taken
in by the next turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from hitl_core.bridge.engine.progress import Advance
from hitl_core.bridge.engine.turns.attempts import Attempts
from hitl_core.bridge.engine.turns.conversation import Conversation, GivenInput
from hitl_core.bridge.engine.turns.lanes import OpenEffect
from hitl_core.bridge.engine.turns.saving import Committed, Saving
from hitl_core.bridge.engine.turns.taking import Taking
from hitl_core.bridge.engine.turns.underway import UnderWay
from hitl_core.bridge.policy import Policy
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import EffectState
from hitl_core.bridge.store.turn_rows import TurnRows

__all__ = ["Turns"]

_KEPT: Final = 2_000


class Turns:
    """The turns of one worker.

    :param worker: its id.
    :param live: ids of the workers that live, as far as is known; another one's conversation is theirs.
    :param dead: says which of some workers are dead, in the transaction that takes over from them.
    :param under_way: the attempts it is making.
    """

    def __init__(
        self,
        store: Store,
        tenant: str,
        *,
        worker: str,
        live: Callable[[], Collection[str]],
        dead: Callable[[AsyncConnection, Collection[str]], Awaitable[Collection[str]]],
        attempts: Attempts,
        under_way: UnderWay,
        policy: Policy,
    ) -> None:
        self.rows = TurnRows(store, tenant)
        self._store = store
        self._attempts = attempts
        self._under_way = under_way
        self._policy = policy
        self.keep_at_most = _KEPT
        """Conversations kept in memory; any other is read again when its turn comes."""
        self._kept: dict[str, Conversation] = {}
        self._taking = Taking(
            store,
            self.rows,
            worker=worker,
            live=live,
            dead=dead,
            attempts=attempts,
            under_way=under_way,
            kept=self._kept,
        )
        self._saving = Saving(store, tenant, self.rows, worker=worker)

    async def take(self, ids: Collection[str]) -> Committed:
        """Take a turn with these conversations; those that others have in hand are left to them.

        :raises StoreError: nothing was changed; ask again.
        """
        done = Committed()
        now = self._store.clock.now()
        in_hand: list[Conversation] = []
        took: dict[str, int] = {}
        try:
            async with self._store.write() as conn:
                await self._taking.take(conn, ids, in_hand, done)
                if in_hand:
                    given = await self._taking.inputs(conn, in_hand, done)
                    for conversation in in_hand:
                        took[conversation.id] = len(self._under_way.of(conversation.id))
                        self._decide(conversation, given.get(conversation.id, ()), now, done)
                    await self._saving.write(conn, in_hand, now, done)
        except BaseException:
            # Nothing was written: what was decided in memory is read anew the next time.
            for conversation in in_hand:
                self._kept.pop(conversation.id, None)
            for _, effect in done.begun:
                self._attempts.let_go(effect)
            raise
        for conversation in in_hand:
            self._under_way.taken_in(conversation.id, took[conversation.id])
            self._keep(conversation)
        return done

    def _keep(self, conversation: Conversation) -> None:
        conversation.forget_what_is_over()
        self._kept.pop(conversation.id, None)
        self._kept[conversation.id] = conversation
        if len(self._kept) > self.keep_at_most:
            del self._kept[next(iter(self._kept))]  # the one whose turn was longest ago

    # Deciding -------------------------------------------------------------------------------------------------

    def _decide(self, conversation: Conversation, given: Iterable[GivenInput], now: datetime, done: Committed) -> None:
        conversation.give_up_unreadable(self._policy, now)
        for came in self._under_way.of(conversation.id):
            effect = conversation.lanes.get(came.key)
            if effect is not None and came.fence == conversation.fence and effect.state is EffectState.ATTEMPTING:
                self._judge_account(effect, came.advance, done)
                conversation.took(effect, came.advance, self._policy, now)
        for one in given:
            conversation.take(one, self._policy, now)
        self._begin(conversation, now, done)

    def _judge_account(self, effect: OpenEffect, came: Advance, done: Committed) -> None:
        """Hold an account that refuses us, before anything else is tried on it, and let it go once it does not."""
        connection = effect.connection
        if connection is None:
            return
        if came.hold is not None:
            self._attempts.hold(connection)
            done.held[connection] = came.hold.detail
        elif came.verdict == "done" and connection in self._attempts.paused:
            del self._attempts.paused[connection]
            done.held[connection] = None

    def _begin(self, conversation: Conversation, now: datetime, done: Committed) -> None:
        """Announce what is attempted next; what cannot be carried out at all is decided on at once."""
        while True:
            refused = False
            for effect in conversation.ready(now, self._attempts.may):
                try:
                    self._attempts.prepare(conversation, effect, now)
                except Exception as error:  # noqa: BLE001 - one that nobody can plan costs no other one
                    self._attempts.let_go(effect)
                    conversation.took(effect, self._attempts.refusal(effect, error), self._policy, now)
                    refused = True
                    break
                effect.state = EffectState.ATTEMPTING
                effect.attempts += 1
                effect.attempting_at = now
                effect.not_before = None
                conversation.lanes.touch(effect)
                done.begun.append((conversation, effect))
            if not refused:
                return
