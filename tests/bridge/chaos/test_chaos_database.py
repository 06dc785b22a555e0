"""The database is killed, or its disk is full: what was accepted is not lost, what is not says so, and it goes on."""

import asyncio
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest

from .desk import Desk
from .fleet import eventually
from .storm import Storm, since, told

pytestmark = pytest.mark.anyio

LOST = "the database cannot be reached; check that it runs and that the URL is right"
FULL = "the disk of the database is full; nothing was lost that was accepted: make room, and it goes on"
BUSY = "webhook 503"


async def part_of(storm, share):
    """Return once that much of it was acknowledged: what is left keeps asking, however slow the work is behind it."""
    await eventually(lambda: storm.accepted > storm.total * share, what="a good part of it")


async def refused(storm, why):
    """Return once both sides are refused for a while."""
    storm.refused.clear()
    await eventually(lambda: min(storm.refused[why], storm.refused[BUSY]) >= 20, what=lambda: storm.refused)


async def goes_on(storm):
    """Return after how many seconds it goes on."""
    began, known = time.monotonic(), storm.done
    await eventually(lambda: storm.done > known + 20, what="it goes on")
    return since(began)


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
async def test_a_killed_postgresql_loses_no_receipt_and_workers_go_on_by_themselves(
    server, database_url, stage, figures
):
    async with stage(database_url, desk=Desk("keyed"), poll_seconds=0.5) as scene:
        for _ in range(2):
            await scene.fleet.begin()
        storm = Storm(scene, count=60)
        async with asyncio.TaskGroup() as group:
            group.create_task(storm.run())
            await part_of(storm, 0.4)
            await asyncio.to_thread(server.crash)
            try:
                await refused(storm, LOST)  # by now whatever was under way has come to an end
                accepted = storm.accepted
                await refused(storm, LOST)
                assert storm.accepted == accepted, "something was acknowledged that nobody could keep"
            finally:
                await asyncio.to_thread(server.restart)
            resumed = await goes_on(storm)
        await storm.settled()
        tally = await storm.tally()
    assert {reason for reason in storm.refused if "database" in reason} == {LOST}
    figures(told("PostgreSQL killed and restarted", storm, tally) + f"; it went on {resumed:.1f} s after the restart")
    assert tally.clean, tally
    assert not tally.letters
    assert resumed < 10


@contextmanager
def small_disk(path, megabytes):
    """A disk of its own, where one may be had."""
    path.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    command = [mount, "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)]
    if not mount or not umount or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("a disk of its own needs root; the one that is short of pages is tried all the same")
    try:
        yield path
    finally:
        subprocess.run([umount, str(path)], check=True)


@contextmanager
def filled(path):
    """Take all the room there is on a disk, and give it back."""
    filler = path / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass  # it is full
    yield
    filler.unlink()


@pytest.mark.parametrize("how", ["disk", "pages"])
async def test_a_full_disk_says_so_and_loses_nothing_that_was_accepted(how, migrated_sqlite, stage, home, figures):
    if how == "disk":
        with small_disk(home / "disk", 24) as place:
            await fill_and_go_on(how, place, migrated_sqlite, stage, figures)
    else:
        await fill_and_go_on(how, home, migrated_sqlite, stage, figures)


async def fill_and_go_on(how, place, migrated_sqlite, stage, figures):
    shutil.copy(migrated_sqlite, place / "hitl.db")
    async with stage(f"sqlite:///{place / 'hitl.db'}", desk=Desk("keyed")) as scene:
        worker = await scene.fleet.begin()
        storm = Storm(scene, count=20)
        async with asyncio.TaskGroup() as group:
            group.create_task(storm.run())
            await part_of(storm, 0.3)
            if how == "disk":
                with filled(place):
                    await refused(storm, FULL)
            else:
                await worker.ask("pages", most=1)  # the database keeps what it has
                await refused(storm, FULL)
                await worker.ask("pages", most=1 << 30)
            resumed = await goes_on(storm)
        await storm.settled()
        tally = await storm.tally()
    figures(told(f"disk full ({how})", storm, tally) + f"; it went on {resumed:.1f} s after there was room")
    assert tally.clean, tally
    assert not tally.letters
    assert resumed < 10
