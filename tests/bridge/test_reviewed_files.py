"""Files and servers as people name, move, bar and break them: two names of one file, what is left of the forgotten."""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from hitl_core.bridge import Bridge, QueueHost
from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.owning import worker_lock
from hitl_core.bridge.store.retention import Retention
from hitl_core.bridge.store.tables import handoffs, workers
from hitl_core.cli import run
from hitl_core.connect import connect_class
from hitl_core.errors import ConfigurationError, StoreError
from hitl_core.testing.memory import MemoryHelpdesk, MemoryProvider

from .store_rows import put
from .world import world

pytestmark = pytest.mark.anyio

NOBODY = 65_534
WORDS = "a-word-that-is-nowhere-else"


@pytest.fixture
def path(migrated_sqlite, tmp_path):
    """A database at the newest schema."""
    return Path(shutil.copy(migrated_sqlite, tmp_path / "hitl.db"))


@pytest.fixture
def barred():
    """A directory, and how to be somebody there who is not let in everywhere: root is."""
    folder = Path(tempfile.mkdtemp())

    @contextlib.contextmanager
    def somebody():
        if os.geteuid():
            yield
            return
        for file in [folder, *folder.iterdir()]:
            os.chown(file, NOBODY, NOBODY)
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)

    yield folder, somebody
    folder.chmod(0o700)
    shutil.rmtree(folder)


def told(call):
    """Return the sentence a call is refused with."""
    with pytest.raises((StoreError, ConfigurationError)) as refused:
        call()
    assert type(refused.value) in {StoreError, ConfigurationError}, "RefusedError is our own affair"
    assert "\n" not in str(refused.value)
    return str(refused.value)


def opened(url, **options):
    async def go():
        async with Store(str(url), **options):
            pass

    return lambda: asyncio.run(go())


def hitl(capsys, *command):
    code = run(list(command))
    out = capsys.readouterr()
    assert len(out.err.splitlines()) <= 1
    return code, out.err


# One file, two names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("names", [("hitl.db", "link.db"), ("link.db", "hitl.db"), ("other/link.db", "link.db")])
async def test_a_file_has_one_worker_by_whatever_link_it_is_named(path, names):
    (path.parent / "other").mkdir()
    for link in ("link.db", "other/link.db"):
        (path.parent / link).symlink_to(path)
    urls = [f"sqlite:///{path.parent / name}" for name in names]
    async with Store(urls[0]) as one, Store(urls[1]) as two:
        refused = pytest.raises(StoreError, match="another process works on")
        with worker_lock(one, "default"), refused, worker_lock(two, "default"):
            pass
        with worker_lock(two, "default"):
            pass


async def test_a_file_with_a_second_hard_link_is_refused_before_sqlite_makes_two_logs_for_it(path, capsys):
    link = path.with_name("link.db")
    async with Store(f"sqlite:///{path}") as one:
        with worker_lock(one, "default"):
            link.hardlink_to(path)
            with pytest.raises(ConfigurationError, match=r"link\.db has other names too"):
                await Store(f"sqlite:///{link}").open()
            async with one.read() as conn:
                await conn.execute(sa.select(handoffs))
    assert not link.with_name("link.db-wal").exists()
    link.unlink()
    async with Store(f"sqlite:///{path}"):
        pass


async def test_who_removes_the_lock_of_a_worker_that_lives_does_not_become_a_second_one(path, clock):
    async with Store(f"sqlite:///{path}", clock=clock) as store, Store(f"sqlite:///{path}", clock=clock) as again:
        async with world(store):
            path.with_name("hitl.db.worker.lock").unlink()
            for _ in range(2):
                refused = pytest.raises(StoreError, match="another process works on")
                with refused, worker_lock(again, "default"):
                    pass
        with worker_lock(again, "default"):
            pass


async def test_a_worker_that_was_killed_keeps_nobody_waiting_and_neither_does_another_tenants(path, clock):
    async with Store(f"sqlite:///{path}", clock=clock) as store:
        with worker_lock(store, "default"):
            pass
        for id_ in ("killed", "another tenant's"):
            await put(store, workers, id=id_, started_at=clock.now(), seen_at=clock.now())
        with worker_lock(store, "default"):
            async with store.write() as conn:
                await conn.execute(workers.delete().where(workers.c.id == "killed"))
            with worker_lock(store, "acme"):
                pass
        path.with_name("hitl.db.worker.lock").unlink()
        clock.advance(11)
        with worker_lock(store, "default"):
            pass


# What is forgotten ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["erased", "purged"])
async def test_of_the_forgotten_not_a_byte_is_left_while_a_server_has_the_file_open(path, clock, how):
    async with Store(f"sqlite:///{path}", clock=clock) as store, world(store) as w:
        await w.start()
        await w.settle()
        await w.say(WORDS)
        await w.say(WORDS * 2_000)
        assert WORDS.encode() in left(path)
        await w.say("/end")
        await w.pass_time(40 * 86_400, step=20 * 86_400)
        async with Store(f"sqlite:///{path}", clock=clock) as beside:
            retention = Retention(beside, "default")
            gone = await (
                retention.erase_customer("u1", force=True) if how == "erased" else retention.purge(timedelta(days=30))
            )
        assert gone["handoffs"] == 1
        assert WORDS.encode() not in left(path)


async def test_a_reader_keeps_what_is_forgotten_in_the_log_and_that_is_told(path, clock, caplog):
    async with Store(f"sqlite:///{path}", clock=clock) as store:
        await put(store, handoffs)
        with contextlib.closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM hitl_handoffs").fetchall()
            await Retention(store, "default").erase_customer("nobody")
            assert "is in its -wal file yet" in caplog.text
        caplog.clear()
        await Retention(store, "default").erase_customer("nobody")
        assert not caplog.text
        assert path.with_name("hitl.db-wal").stat().st_size == 0


async def test_what_is_deleted_is_overwritten_whatever_sqlite_does_by_itself(path):
    async with Store(f"sqlite:///{path}") as store, store.read() as conn:
        assert (await conn.execute(sa.text("PRAGMA secure_delete"))).scalar_one() == 1


def left(path):
    return b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))


# PostgreSQL that does not let us in -----------------------------------------------------------------------------------


@pytest.fixture
def guarded(postgres, migrated_postgres):
    """A server that asks for a password, and a role that has one but no rights."""
    import asyncpg

    async def sql(*statements):
        connection = await asyncpg.connect(postgres.url(migrated_postgres))
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    rules = postgres.socket_dir / "data" / "pg_hba.conf"
    before = rules.read_text()
    asyncio.run(sql("CREATE ROLE ada LOGIN PASSWORD 'right'"))
    rules.write_text(f"local all ada scram-sha-256\nlocal all,postgres eve reject\n{before}")
    asyncio.run(sql("SELECT pg_reload_conf()"))
    yield lambda who, name=migrated_postgres: f"postgresql://{who}@/{name}?host={postgres.socket_dir}"
    rules.write_text(before)
    asyncio.run(sql("SELECT pg_reload_conf()", "DROP ROLE ada"))


@pytest.mark.parametrize(
    ("who", "name", "sentence"),
    [
        ("ada:wrong-one", "postgres", "the password of the role ada: it is wrong or missing"),
        ("ada", "postgres", "the password of the role ada: it is wrong or missing"),
        ("nobody-of-that-name", "postgres", "does not let the role nobody-of-that-name in"),
        ("postgres", "nowhere", "has no database nowhere; make it (createdb nowhere)"),
        ("ada:right", "migrated", "the role ada lacks a right"),
    ],
)
def test_what_a_server_does_not_let_in_is_told_why(guarded, capsys, who, name, sentence):
    url = guarded(who, name)
    assert sentence in told(opened(url))
    code, err = hitl(capsys, "sessions", "list", "--db", url)
    assert code == 1
    assert sentence in err
    assert "wrong-one" not in err


# URLs -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", ["abc", "0", "99999"])
def test_a_port_that_is_none_is_a_wrong_setting(capsys, port):
    url = f"postgresql://u:hunter2@127.0.0.1:{port}/x"
    desk = connect_class(MemoryProvider, helpdesk=MemoryHelpdesk(), webhook_secret="s")
    for call in (lambda: Store(url), lambda: Bridge(desk, QueueHost(), store=url)):
        with pytest.raises(ConfigurationError) as refused:
            call()
        assert "the database URL" in str(refused.value)
        assert "hunter2" not in str(refused.value)
    asyncio.run(desk.close())
    assert hitl(capsys, "sessions", "list", "--db", url)[0] == 2


def test_an_option_that_is_none_is_a_wrong_setting_and_sslmode_is_one(capsys, postgres, migrated_postgres):
    for url, sentence in [
        ("postgresql://u@127.0.0.1/x?sslmod=require", "has an option 'sslmod' that is not known"),
        ("postgresql://u@/x?host=a:abc&host=b", "the database URL cannot be read"),
        ("sqlite:///x.db?timeout=abc", "the database URL cannot be read"),
    ]:
        assert sentence in told(lambda url=url: Store(url))
        assert hitl(capsys, "sessions", "list", "--db", url)[0] == 2
    opened(f"{postgres.url(migrated_postgres)}&sslmode=prefer")()


# Files that are none --------------------------------------------------------------------------------------------------


def test_a_directory_and_a_directory_that_is_missing_are_named(tmp_path, capsys):
    for file, sentence in [
        (tmp_path, f"{tmp_path} is a directory; name a file in it"),
        (tmp_path / "no" / "hitl.db", f"there is no directory {tmp_path / 'no'} for hitl.db; make it"),
    ]:
        url = f"sqlite:///{file}"
        assert sentence in told(opened(url))
        for command in (["sessions", "list"], ["db", "upgrade"]):
            code, err = hitl(capsys, *command, "--db", url)
            assert code == 2
            assert sentence in err


def test_a_text_and_half_a_file_are_named(path, tmp_path, capsys):
    text, half = tmp_path / "notes.txt", tmp_path / "half.db"
    text.write_text("Dear diary, nothing happened today. " * 200)
    half.write_bytes(path.read_bytes()[:5_000])
    assert f"{text} is no SQLite database" in told(opened(f"sqlite:///{text}"))
    assert f"{half} is damaged" in told(opened(f"sqlite:///{half}"))
    code, err = hitl(capsys, "db", "upgrade", "--db", f"sqlite:///{text}")
    assert code == 2
    assert f"{text} is no SQLite database" in err
    assert f"{half} is damaged" in hitl(capsys, "sessions", "list", "--db", f"sqlite:///{half}")[1]


def test_what_this_user_may_not_read_or_make_is_named(path, barred, capsys):
    folder, somebody = barred
    file = Path(shutil.copy(path, folder / "hitl.db"))
    file.chmod(0)
    with somebody():
        assert f"{file} cannot be read: permission denied" in told(opened(f"sqlite:///{file}"))
        assert (
            f"{file} cannot be read: permission denied" in hitl(capsys, "db", "upgrade", "--db", f"sqlite:///{file}")[1]
        )
        folder.chmod(0o500)
        code, err = hitl(capsys, "db", "upgrade", "--db", f"sqlite:///{folder}/new.db")
        assert code == 2
        assert f"cannot make {folder}/new.db: this user may not write the directory {folder}" in err
        folder.chmod(0)
        assert f"this user may not enter the directory {folder}" in told(opened(f"sqlite:///{file}"))


@pytest.mark.parametrize("which", ["hitl.db", "hitl.db-wal", "hitl.db-shm"])
def test_of_a_read_only_database_the_file_that_is_is_named(path, barred, which):
    folder, somebody = barred
    file = Path(shutil.copy(path, folder / "hitl.db"))

    async def write():
        async with Store(f"sqlite:///{file}") as store, store.write() as conn:
            await conn.execute(handoffs.delete())

    with kept_open(file):
        (folder / which).chmod(0o400)
        with somebody():
            sentence = told(lambda: asyncio.run(write()))
            assert f"this user may not write {folder / which};" in sentence


@contextlib.contextmanager
def kept_open(file):
    """Have another process use a database: whoever closes it last removes what is beside it."""
    program = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('CREATE TABLE o (n)'); print(); input()"
    command = [sys.executable, "-c", program, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield
        process.communicate(b"\n")


# Somebody else's ------------------------------------------------------------------------------------------------------


def test_a_file_of_another_program_is_said_to_have_no_bridge_in_it(tmp_path, capsys):
    file = tmp_path / "shop.db"
    with contextlib.closing(sqlite3.connect(file)) as shop:
        shop.execute("CREATE TABLE orders (n)")
    code, err = hitl(capsys, "sessions", "list", "--db", f"sqlite:///{file}")
    assert code == 2
    assert f"there is no bridge in {file}" in err
    assert hitl(capsys, "db", "upgrade", "--db", f"sqlite:///{file}")[0] == 0, "it may be shared"
    assert hitl(capsys, "sessions", "list", "--db", f"sqlite:///{file}")[0] == 0
