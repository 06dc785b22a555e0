"""One connection to a helpdesk in memory, and a driver that does with a job what the engine does: commit, wait, call.

Everything that is kept between two steps goes through its stored form, so that a step knows nothing but what a new
process would know.
"""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

from hitl_core import calls
from hitl_core.bridge.engine.jobs import DeskJobs
from hitl_core.bridge.engine.progress import Busy, Progress, UserClaim
from hitl_core.bridge.handoff.effects import SendToDesk, StartSession, StopSession, WatchStart, parse_effect
from hitl_core.bridge.handoff.records import StartContent
from hitl_core.connect import connect_class
from hitl_core.errors import AmbiguousOutcomeError
from hitl_core.events import StopReason
from hitl_core.messages import Text
from hitl_core.people import Author, EndUser, ExternalUser
from hitl_core.sessions import HitlSession, SessionRef
from hitl_core.spec import hookimpl
from hitl_core.testing.clock import VirtualClock
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider, MemoryTicket

KEY = "default/memory"
ADA = EndUser(external_id="u1", name="Ada")
WRITES = ("create_user", "start_hitl", "send_message", "stop_hitl")
LOST = AmbiguousOutcomeError("no answer; look it up before repeating")


class Desk(MemoryHelpdesk):
    """A helpdesk of which tests say how it behaves.

    :ivar steps: how many writes opening a session takes; the session exists after the first.
    :ivar honours_keys: a key that is known writes nothing.
    :ivar answers: what the next searches give or raise, instead of the truth.
    :ivar user_failures: what the next calls of ``create_user`` raise.
    :ivar searched: the ids each search was told to leave out.
    :ivar keys_tried: the key of every attempt of a write.
    """

    def __init__(self):
        super().__init__()
        self.capabilities = MemoryProvider.info.capabilities
        self.limits = MemoryProvider.info.limits
        self.steps = 1
        self.late_session = False
        self.honours_keys = False
        self.takes = 0.0
        self.clock = VirtualClock()
        self.answers = []
        self.user_failures = []
        self.user_requests = []
        self.searched = []
        self.keys_tried = []
        self.state = None
        self.warnings = ()
        self.garbled = False

    def may(self, **capabilities):
        self.capabilities = self.capabilities.model_copy(update=capabilities)

    def limited(self, **limits):
        self.limits = self.limits.model_copy(update=limits)

    def blind(self):
        """Nothing can be searched for."""
        self.may(find_session=False, find_message=False)

    def stumble(self, when):
        if self.failures and self.failures[0][0] == when and isinstance(self.failures[0][1], asyncio.CancelledError):
            asyncio.current_task().cancel()  # as whoever ends our work does
        super().stumble(when)

    def open_ticket(self):
        request = calls.StartHitl(user=ExternalUser(id="x"), title="Parcel", key="earlier/0")
        ticket = MemoryTicket(f"t{len(self.tickets) + 1}", request)
        self.tickets[ticket.id] = ticket
        return HitlSession(ref=SessionRef(connection=KEY, id=ticket.id), provider="memory")

    def texts(self, ticket="t1"):
        return [request.message.text for request in self.tickets[ticket].sent]

    def writes(self):
        return [call for call in self.calls if call in WRITES]


class Account(MemoryProvider):
    """The memory provider, as this desk wants it."""

    @hookimpl
    async def open(self):
        return calls.AccountProfile(capabilities=self._desk.capabilities, limits=self._desk.limits)

    @hookimpl
    async def create_user(self, request):
        if self._desk.user_failures:
            self._desk.calls.append("create_user")
            raise self._desk.user_failures.pop(0)
        self._desk.user_requests.append(request)
        return await super().create_user(request)

    @hookimpl(specname="start_hitl")
    async def create_ticket(self, request):
        self._desk.keys_tried.append(request.key)
        self._desk.clock.advance(self._desk.takes)
        last = request.step == self._desk.steps - 1
        if request.step:
            session = self._finish(request)
            return calls.StartedSession(
                session=session if last else None, ids=(f"opening-{request.step}",), resume=self._resume(request, last)
            )
        started = await super().create_ticket(request)
        return started.model_copy(
            update={
                "ids": ("opening-0",),
                "warnings": self._desk.warnings,
                "resume": self._resume(request, last, started.session.id),
                "session": None if self._desk.late_session and not last else started.session,
            }
        )

    def _finish(self, request):
        self._desk.calls.append("start_hitl")
        self._desk.stumble("before")
        self._desk.keys[request.key] = request.resume["ticket"]
        self._desk.stumble("after")
        return HitlSession(ref=SessionRef(connection=KEY, id=request.resume["ticket"]), provider="memory")

    def _resume(self, request, last, ticket=None):
        return None if last else {"ticket": ticket or request.resume["ticket"], "nothing": None}

    @hookimpl(specname="send_message")
    async def add_message(self, request):
        self._desk.keys_tried.append(request.key)
        known = [sent.key for sent in self._desk.ticket(request.session).sent]
        if self._desk.honours_keys and request.key in known:
            self._desk.calls.append("send_message")
            return calls.SentMessage(ids=(f"{request.session.id}-sent-{known.index(request.key) + 1}",))
        sent = await super().add_message(request)
        sent = sent.model_copy(update={"state": self._desk.state})
        if self._desk.garbled:
            del sent.__dict__["ids"]
        return sent

    @hookimpl
    async def find_session(self, request):
        self._desk.calls.append("find_session")
        self._desk.searched.append(request.known_ids)
        given = self._answer()
        found = given if given is not None else await super().find_session(request)
        if isinstance(found, calls.Found) and found.started is not None and request.request.step < self._desk.steps - 1:
            resume = self._resume(request.request, last=False, ticket=found.started.session.id)
            found = found.model_copy(update={"started": found.started.model_copy(update={"resume": resume})})
        return found

    @hookimpl
    async def find_message(self, request):
        self._desk.calls.append("find_message")
        self._desk.searched.append(request.known_ids)
        given = self._answer()
        return given if given is not None else await super().find_message(request)

    def _answer(self):
        if not self._desk.answers:
            return None
        answer = self._desk.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class Books:
    """A directory in memory.

    :ivar broken: what the next look-ups raise.
    """

    def __init__(self):
        self.sessions = set()
        self.own = {}
        self.users = {}
        self.claims = set()
        self.starts = {}
        self.shown = {}
        self.said = ()
        self.bots = True
        self.broken = []

    def _stumble(self):
        if self.broken:
            raise self.broken.pop(0)

    async def session_ids(self, connection):
        assert connection == KEY
        return frozenset(self.sessions)

    async def own_message_ids(self, session):
        self._stumble()
        return frozenset(self.own.get(session, ()))

    async def claim_user(self, connection, user_key, fingerprint):
        assert connection == KEY
        self._stumble()
        known, of = self.users.get(user_key, (None, None))
        if known is not None and of == fingerprint:
            return known
        if user_key in self.claims:
            return Busy()
        self.claims.add(user_key)
        return UserClaim(known)

    async def keep_user(self, connection, user_key, fingerprint, user):
        assert connection == KEY
        self.claims.remove(user_key)
        if user is not None:
            self.users[user_key] = (user, fingerprint)

    async def start_progress(self, effect_key):
        self._stumble()
        return self.starts.get(effect_key)

    async def shown_keys(self, session, vendor_message_id):
        self._stumble()
        return self.shown.get((session, vendor_message_id), ())

    async def transcript(self, handoff_id):
        self._stumble()
        return self.said if handoff_id == "h1" else ()

    async def bot_has(self, conversation_id):
        self._stumble()
        return self.bots


class DiedError(Exception):
    """The process ended in the middle of a step."""


class Site:
    """A job at work; ``seen`` is all it ever came to."""

    def __init__(self, desk, connection, books, clock, jobs):
        self.desk, self.connection, self.books, self.clock, self.jobs = desk, connection, books, clock, jobs
        self.seen = []

    async def step(self, effect, progress=None, *, unwanted=False):
        """Take one step, as a process that has just been started would."""
        effect = parse_effect(effect.model_dump_json())
        progress = stored(progress if progress is not None else self.jobs.plan(effect))
        calls_before = len(self.desk.calls)
        call = self.jobs.resolve if unwanted else self.jobs.advance
        try:
            came = await asyncio.create_task(call(effect, progress, conversation_id="c1", handoff_id="h1"))
        except asyncio.CancelledError:
            raise DiedError from None
        finally:
            made = self.desk.calls[calls_before:]
            writes = [one for one in made if one in WRITES]
            assert len(writes) <= (0 if unwanted else 1), f"one step wrote {writes}"
            assert len(made) - len(writes) <= 1, f"one step searched {made}"
            assert not self.clock.waits, "a step must not sleep"
        assert came.progress.began_at is not None or came.verdict != "again"
        came = replace(came, progress=stored(came.progress))
        self._commit(effect, came)
        return came

    def _commit(self, effect, came):
        self.seen.append(came)
        if came.session is not None:
            self.books.sessions.add(came.session.id)
            self.books.own.setdefault(came.session.ref, []).extend(came.sent_ids)
        if isinstance(effect, StartSession):
            self.books.starts[effect.key] = came.progress

    async def run(self, effect, progress=None, *, unwanted=False, most=300):
        """Go on until it is settled; a process that dies is followed by another."""
        for _ in range(most):
            began = self.clock.now()
            try:
                came = await self.step(effect, progress, unwanted=unwanted)
            except DiedError:
                known = progress if progress is not None else self.jobs.plan(effect)
                self.clock.advance(10)  # until it is missed
                came = self.jobs.interrupted(stored(known), began)
            if came.verdict != "again":
                return came
            progress = came.progress
            self.clock.advance(came.wait)
        raise AssertionError("it does not come to an end")

    def reports(self):
        return [came.report for came in self.seen if came.report is not None]

    def waits(self):
        return [came.wait for came in self.seen if came.verdict == "again"]


def stored(progress):
    """Return what a new process would read."""
    again = Progress.model_validate_json(progress.stored())
    assert again == progress
    return again


@asynccontextmanager
async def site(desk=None, *, jobs=DeskJobs, **options):
    """Open an account of ``desk``."""
    desk = desk or Desk()
    books, clock = Books(), desk.clock
    connection = connect_class(Account, alias="memory", clock=clock, helpdesk=desk, webhook_secret=desk.secret)
    async with connection:
        yield Site(desk, connection, books, clock, jobs(connection, directory=books, clock=clock, **options))


# Effects --------------------------------------------------------------------------------------------------------------


def send(session, text="Any news?", key="h1:user:m1", **more):
    message = Text(text=text) if isinstance(text, str) else text
    more.setdefault("author", Author.user(ExternalUser(id="user-u1", name="Ada")))
    return SendToDesk(key=key, session=session, message=message, **more)


def start(user=ADA, key="h1:start", **content):
    content.setdefault("title", "Parcel")
    return StartSession(
        key=key,
        connection=KEY,
        conversation_id="c1",
        user=user,
        content=StartContent(**content),
    )


def stop(session, message=None, key="h1:stop"):
    return StopSession(key=key, session=session, reason=StopReason.USER_LEFT, message=message)


def watch(of="h1:start", key="h1:watch"):
    return WatchStart(key=key, connection=KEY, start=of)
