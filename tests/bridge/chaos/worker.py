"""A nursery of workers: it has everything imported, and makes another process of itself for each worker.

Started as a program. It reads lines of JSON from stdin and answers each with one:

* ``{"fork": {...}}``: begin a worker with these settings; ``{"pid": N}``.
* ``{"signal": N, "pid": N}``: send a signal to a worker; one that kills it returns when it is dead.

All of them are killed when stdin ends, as it does when the test process dies.
"""

import asyncio
import json
import logging
import os
import signal
import sys
from datetime import timedelta

from provider import FileHost, connect
from sqlalchemy import event
from wire import Client, serve

from hitl_core.bridge import Policy
from hitl_core.bridge.bridge import Bridge
from hitl_core.bridge.store.base import Store
from hitl_core.clock import SystemClock
from hitl_core.people import EndUser

logger = logging.getLogger("chaos")

KEY = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="


class Server:
    """What the test may ask of a worker."""

    def __init__(self, bridge, limit):
        self._bridge = bridge
        self._limit = limit

    async def answer(self, what, **arguments):
        return await getattr(self, f"on_{what}")(**arguments)

    async def on_start(self, conversation, policy=None, wait=10.0):
        user = EndUser(external_id=f"u-{conversation}", name="Ada")
        result = await self._bridge.start_hitl(
            conversation, user, "Parcel", idempotency_key=f"start-{conversation}", policy=policy, wait=wait
        )
        return {"status": result.status, "session": result.session.id if result.session else None}

    async def on_say(self, conversation, id, text):
        return (await self._bridge.handle_user_message(conversation, text, message_id=id)).silence

    async def on_webhook(self, headers, body):
        receipt = await self._bridge.receive_webhook("chaos", headers=headers, body=body.encode())
        return {"accepted": receipt.accepted, "status": receipt.reply.status}

    async def on_silent(self, conversation):
        return await self._bridge.silent(conversation)

    async def on_pages(self, most):
        """Let the database grow to so many pages at most."""
        self._limit["pages"] = most


class ShiftedClock(SystemClock):
    """Another time than the machine's.

    :param seconds: by how much it is later.
    """

    def __init__(self, seconds):
        self._shift = timedelta(seconds=seconds)

    def now(self):
        return super().now() + self._shift


async def work(*, url, desk, kind, host, socket, policy, hints=True, host_takes=0.004, shift=0.0, **more):
    """Be a worker until the process is killed."""
    client = await Client(desk).open()
    store = Store(url, key=KEY, hints=hints, clock=ShiftedClock(shift))
    limit = {"pages": None}

    @event.listens_for(store.engine.sync_engine, "checkout")
    def keep_within(connection, _record, _proxy):
        if limit["pages"]:
            connection.execute(f"PRAGMA max_page_count={limit['pages']}")

    async with connect(client, kind) as connection:
        more.setdefault("reconcile_seconds", None)
        async with Bridge(connection, FileHost(host, host_takes), store, Policy(**policy), **more) as bridge:
            server = await serve(socket, Server(bridge, limit).answer)
            async with server:
                await asyncio.Event().wait()


def begin(settings):
    """Make a process that works, and return its id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        # Neither what the nursery is told nor what it answers is a worker's business.
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        logging.basicConfig(level=logging.INFO, format="%(process)d %(asctime)s %(levelname)s %(name)s %(message)s")
        asyncio.run(work(**settings))
    except BaseException:
        logger.exception("the worker ended")
    finally:
        os._exit(1)


def obey(told, workers):
    """Do as the test says."""
    match told:
        case {"fork": settings}:
            pid = begin(settings)
            workers.add(pid)
            return {"pid": pid}
        case {"signal": number, "pid": pid} if pid in workers:
            os.kill(pid, number)
            if number == signal.SIGKILL:
                os.waitpid(pid, 0)
                workers.discard(pid)
            return {"pid": pid}
        case _:
            return {"error": "no such worker"}


def warm_up():
    """Have what workers need at their beginning in memory, once for all of them."""
    connect(None, "keyed")
    Store("sqlite:///never-opened.db")
    Store("postgresql:///never-opened")


def main():
    """Obey until nobody is there any more."""
    workers = set()
    warm_up()
    sys.stdout.write("{}\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(obey(json.loads(line), workers)) + "\n")
        sys.stdout.flush()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
