"""Questions and answers between processes: lines of JSON over a Unix socket, many at a time."""

import asyncio
import itertools
import json
from contextlib import suppress

LONGEST = 1 << 20


async def serve(path, answer):
    """Answer what arrives on a socket.

    :param answer: takes what is asked, and its arguments by name; what it raises is the answer's ``error``.
    """

    async def serve_one(reader, writer):
        tasks = set()
        with suppress(ConnectionError):
            while line := await reader.readline():
                task = asyncio.create_task(answer_one(line, writer))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
        if tasks:
            # Whoever asked has died; what was asked is done all the same, as a helpdesk would.
            await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()

    async def answer_one(line, writer):
        asked = json.loads(line)
        number, what = asked.pop("number"), asked.pop("what")
        try:
            told = {"result": await answer(what, **asked)}
        except Exception as error:  # noqa: BLE001 - it is the answer
            told = {"error": type(error).__name__, "detail": str(error)}
        if not writer.is_closing():
            writer.write(json.dumps({"number": number, **told}).encode() + b"\n")

    return await asyncio.start_unix_server(serve_one, path, limit=LONGEST)


class RefusedError(Exception):
    """The other side answered with an error.

    :ivar kind: its class.
    """

    def __init__(self, kind, detail):
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class Client:
    """One connection to a socket, for any number of questions at a time."""

    def __init__(self, path):
        self._path = path
        self._numbers = itertools.count(1)
        self._waiting = {}
        self._writer = None
        self._reading = None

    async def open(self):
        """Connect.

        :raises OSError: nobody is there.
        """
        reader, self._writer = await asyncio.open_unix_connection(self._path, limit=LONGEST)
        self._reading = asyncio.create_task(self._read(reader))
        return self

    async def ask(self, what, **arguments):
        """Ask, and return the answer.

        :raises ConnectionError: the other side has gone, or went before it answered.
        :raises RefusedError: it answered with an error.
        """
        if self._reading is None or self._reading.done():
            raise ConnectionResetError
        number = next(self._numbers)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            if self._writer.is_closing():
                raise ConnectionResetError
            self._writer.write(json.dumps({"number": number, "what": what, **arguments}).encode() + b"\n")
            return await answered
        finally:
            self._waiting.pop(number, None)

    async def close(self):
        """Disconnect."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._writer.close()
            with suppress(ConnectionError):
                await self._writer.wait_closed()

    async def _read(self, reader):
        try:
            while line := await reader.readline():
                self._take(json.loads(line))
        except ConnectionError:
            pass
        finally:
            for answered in self._waiting.values():
                if not answered.done():
                    answered.set_exception(ConnectionResetError())

    def _take(self, told):
        answered = self._waiting.get(told["number"])
        if answered is None or answered.done():
            return  # nobody waits for it any more
        if "error" in told:
            answered.set_exception(RefusedError(told["error"], told["detail"]))
        else:
            answered.set_result(told["result"])
