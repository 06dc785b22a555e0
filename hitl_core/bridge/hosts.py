"""Two ready hosts: one calls your functions, the other is a queue you read with ``async for``.

Both are asked **at least once**: what the bridge cannot know to have worked, because a call raised, a consumer ended
or the process was killed, it does again, with the same ``key``. So show what carries a known key once:

* best, store the key with what you show, in the same transaction and under a unique index, or give it to the channel
  as its idempotency key: this also holds across a restart;
* else keep the last keys in memory with :class:`SeenKeys`: what is left is the moment between the channel's answer
  and the bridge's own commit in a process that is killed.

    seen = SeenKeys()

    async def send(conversation_id, message, sender, *, key):
        with seen.once(key) as first:
            if first:
                await channel.post(conversation_id, message, sender.name)

    bridge = Bridge(..., CallbackHost(send=send, resume=resume), ...)
"""

from __future__ import annotations

from hitl_core.bridge.callback_host import CallbackHost, NotifyCallback, ResumeCallback, SendCallback
from hitl_core.bridge.queue_host import HandedBack, Noticed, QueueHost, QueueItem, ToCustomer
from hitl_core.bridge.seen_keys import SeenKeys

__all__ = [
    "CallbackHost",
    "HandedBack",
    "Noticed",
    "NotifyCallback",
    "QueueHost",
    "QueueItem",
    "ResumeCallback",
    "SeenKeys",
    "SendCallback",
    "ToCustomer",
]
