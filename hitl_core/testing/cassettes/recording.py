"""Using a cassette: recording what goes over the network, and playing it back without one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hitl_core.testing.cassettes import files
from hitl_core.testing.cassettes.exchange import Exchange
from hitl_core.testing.cassettes.matching import Replay
from hitl_core.testing.cassettes.provenance import CassetteError, Provenance
from hitl_core.testing.cassettes.registry import note_use
from hitl_core.testing.cassettes.scrubber import Scrubber

if TYPE_CHECKING:
    from hitl_core.testing.cassettes.tape import Tape

__all__ = ["UsedCassette", "use_cassette"]


class UsedCassette:
    """A cassette while a test uses it."""

    def __init__(self, path: Path, provenance: Provenance, count: Callable[[], int]) -> None:
        self.path = path
        self.provenance = provenance
        self._count = count

    @property
    def interactions(self) -> int:
        """How many interactions it has; while recording, how many so far."""
        return self._count()


@contextmanager
def use_cassette(
    path: str | Path,
    *,
    record: bool,
    scrubber: Scrubber,
    provenance: Provenance | None = None,
    ignore: Collection[str] = (),
    may_be_empty: bool = False,
) -> Iterator[UsedCassette]:
    """Record the HTTP requests of a block, or answer them from an earlier recording.

    For synchronous and asynchronous tests alike, one block at a time in a process::

        with use_cassette("cassettes/acme/start.yaml", record=False, scrubber=SCRUBBER):
            await connection.start_hitl(...)

    Requests need a socket to be recorded; what goes to an application in memory is not seen.

    :param record: write the file anew, once the block ends without an error; otherwise play it, without a network.
    :param scrubber: what may not be written; the same when recording and when playing.
    :param provenance: where a new recording comes from; needed to record.
    :param ignore: beginnings of URLs that are not the helpdesk's, such as a simulator's controls; these requests go
        out as ever.
    :param may_be_empty: when there was nothing to record, leave no file, rather than fail.
    :raises CassetteError: a request is not in the recording, or an answer was not asked for, or there is no recording.
        A missing answer is raised again at the end of the block, because connections turn errors into their own.
    :raises ValueError: recording without a provenance.
    """
    path = Path(path)
    if record:
        if provenance is None:
            msg = "a recording says where it comes from: give provenance"
            raise ValueError(msg)
        with _record(path, scrubber, provenance, ignore, may_be_empty) as cassette:
            yield cassette
    else:
        with _play(path, scrubber, ignore) as cassette:
            yield cassette


@contextmanager
def _record(
    path: Path, scrubber: Scrubber, provenance: Provenance, ignore: Collection[str], may_be_empty: bool
) -> Iterator[UsedCassette]:
    note_use(path)
    with _tape(path, scrubber, None, ignore) as tape:
        yield UsedCassette(path, provenance, lambda: len(tape.recorded))
    if not tape.recorded:
        if may_be_empty:
            path.unlink(missing_ok=True)
            return
        msg = f"nothing to record for {path}: no request went over the network; give the helpdesk a real port"
        raise CassetteError(msg)
    files.write(path, provenance, tape.recorded)


@contextmanager
def _play(path: Path, scrubber: Scrubber, ignore: Collection[str]) -> Iterator[UsedCassette]:
    provenance, exchanges = files.read(path)
    note_use(path)
    replay = Replay(path, [Exchange(scrubber.request(asked), answer) for asked, answer in exchanges])
    with _tape(path, scrubber, replay, ignore):
        try:
            yield UsedCassette(path, provenance, lambda: len(exchanges))
        except CassetteError:
            raise
        except Exception:
            replay.finish(unplayed=False)  # the cause, if the test failed for want of an answer
            raise
    replay.finish()


@contextmanager
def _tape(path: Path, scrubber: Scrubber, replay: Replay | None, ignore: Collection[str]) -> Iterator[Tape]:
    from hitl_core.testing.cassettes.tape import Tape

    prefixes = tuple(ignore)
    context = Tape.use(
        path=str(path), scrubber=scrubber, replay=replay, is_ours=lambda uri: not uri.startswith(prefixes)
    )
    with context as tape:
        yield tape
