"""`hitl db` and `hitl reconcile`: the schema, the key, and asking for all open tickets to be read."""

import asyncio
import base64
import json
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from hitl_core.bridge.store.base import Store
from hitl_core.bridge.store.tables import connections, links, workers
from hitl_core.cli import run

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

only_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

READING = ["sessions list", "sessions show c-1", "sessions tail", "sessions end c-1", "reconcile", "db current"]


@pytest.fixture
def hitl(capsys):
    """Run `hitl`; give code, stdout and stderr."""

    def call(command, *more):
        code = run([*shlex.split(command), *more])
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def on(url, work):
    """Do something with a database."""

    async def go():
        async with Store(url) as store, store.write() as conn:
            return await work(conn)

    return asyncio.run(go())


# The database -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", READING)
def test_a_command_that_reads_never_makes_a_database(hitl, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    code, out, err = hitl(command)
    assert (code, out) == (2, "")
    assert "there is no database hitl.db in " in err
    assert "--db sqlite:///FILE or HITL_DATABASE_URL" in err
    code, _, err = hitl(command, "--db", f"sqlite:///{tmp_path}/typo.db")
    assert code == 2
    assert f"there is no database {tmp_path}/typo.db; name it" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", READING)
def test_a_file_that_is_no_database_is_left_alone(hitl, tmp_path, command):
    (tmp_path / "notes.txt").write_text("Dear diary, nothing happened today.")
    code, _, err = hitl(command, "--db", f"sqlite:///{tmp_path}/notes.txt")
    assert code == 2
    assert "notes.txt is no SQLite database" in err
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_database_is_named_by_a_flag_or_a_variable_or_is_the_one_of_this_directory(hitl, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hitl("db upgrade")[0] == 0
    assert (tmp_path / "hitl.db").is_file()
    assert hitl("sessions list")[0] == 0
    monkeypatch.setenv("HITL_DATABASE_URL", f"sqlite:///{tmp_path}/other.db")
    assert "other.db" in hitl("sessions list")[2]
    assert hitl("sessions list", "--db", "sqlite:///hitl.db")[0] == 0


@pytest.mark.parametrize("url", ["mysql://x@y/z", "nonsense", "sqlite://"])
def test_a_url_that_cannot_be_one_is_told_in_a_sentence(hitl, url):
    code, _, err = hitl("sessions list", "--db", url)
    assert code == 2
    assert "sqlite:///file.db" in err
    assert len(err.splitlines()) == 1


def test_a_database_that_is_away_is_told_without_its_password(hitl, tmp_path):
    pytest.importorskip("asyncpg")
    code, _, err = hitl("sessions list", "--db", f"postgresql://me:hunter2hunter2@/x?host={tmp_path}")
    assert code == 1
    assert "the database cannot be reached" in err
    assert "hunter2" not in err


def test_db_upgrade_makes_the_schema_once_and_current_tells_where_it_is(hitl, blank_url, backend):
    if backend == "postgresql":
        code, out, err = hitl("db current", "--db", blank_url)
        assert code == 1
        assert out.splitlines()[1].split()[0] == "-"
        assert "Run: hitl db upgrade" in err
        assert "hitl db upgrade" in hitl("sessions list", "--db", blank_url)[2]
    assert hitl("db upgrade", "--db", blank_url) == (0, "", "The database was brought up to date.\n")
    assert hitl("db upgrade", "--db", blank_url) == (0, "", "The database is up to date.\n")
    code, out, err = hitl("db current", "--db", blank_url)
    assert (code, err) == (0, "")
    found, needed = out.splitlines()[1].split()
    assert found == needed
    assert hitl("sessions list", "--db", blank_url)[0] == 0


def test_a_database_of_a_newer_version_is_refused(hitl, database_url):
    on(database_url, lambda conn: conn.execute(sa.text("UPDATE hitl_version SET version_num = '9999'")))
    code, out, err = hitl("db current", "--db", database_url)
    assert (code, out.splitlines()[1].split()[0]) == (1, "9999")
    assert "It is of a newer version: upgrade hitl-core" in err
    for command in ("db upgrade", "sessions list", "reconcile"):
        code, _, err = hitl(command, "--db", database_url)
        assert code == 2
        assert "newer version" in err


def test_new_key_prints_a_key_and_nothing_else_on_stdout(hitl):
    code, out, err = hitl("db new-key")
    assert code == 0
    assert len(base64.b64decode(out.strip(), validate=True)) == 32
    assert out.strip() not in err
    assert hitl("db new-key")[1] != out


@pytest.mark.parametrize("missing", ["sqlalchemy", "alembic"])
@pytest.mark.parametrize("command", ["sessions list", "reconcile", "db upgrade"])
def test_without_the_extra_a_command_says_what_to_install(migrated_sqlite, missing, command):
    program = "import sys; sys.modules[sys.argv[1]] = None; from hitl_core.cli import run; sys.exit(run(sys.argv[2:]))"
    arguments = [missing, *shlex.split(command), "--db", f"sqlite:///{migrated_sqlite}"]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert missing in done.stderr
    assert "pip install 'hitl-core[" in done.stderr


def test_the_help_of_the_commands_needs_no_extra():
    program = (
        "import sys; sys.modules['sqlalchemy'] = None; from hitl_core.cli import run;"
        "sys.exit(run(['sessions', '--help']) or run(['db', '--help']) or run(['reconcile', '--help']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# Reconciling --------------------------------------------------------------------------------------------------------


async def link(conn):
    def row(tenant, connection, session, *, open=True, wanted_at=None):
        names = {"tenant": tenant, "connection": f"{tenant}/{connection}", "session_id": session}
        facts = {"conversation_id": f"c-{session}", "session": "{}", "linked_at": NOON}
        return {**names, **facts, "open": open, "wanted_at": wanted_at}

    soon = datetime.now(UTC) + timedelta(hours=1)
    await conn.execute(links.insert(), [
        row("default", "desk", "1"), row("default", "desk", "2", wanted_at=NOON),
        row("default", "desk", "3", wanted_at=soon), row("default", "other", "4"),
        row("default", "desk", "5", open=False), row("acme", "desk", "6"),
    ])  # fmt: skip
    values = {"tenant": "default", "fence": 1, "reconciled_at": NOON}
    await conn.execute(connections.insert(), [values | {"connection": f"default/{one}"} for one in ("desk", "other")])


async def wanted(conn):
    rows = (await conn.execute(sa.select(links.c.session_id, links.c.wanted_at).order_by(links.c.session_id))).all()
    return {row.session_id: row.wanted_at for row in rows}


async def compared(conn):
    query = sa.select(connections.c.connection, connections.c.reconciled_at).order_by(connections.c.connection)
    return [row.reconciled_at is not None for row in (await conn.execute(query)).all()]


def test_f13_reconcile_asks_for_all_open_tickets_of_the_tenant_and_says_how_many(hitl, database_url):
    on(database_url, link)
    code, out, err = hitl("reconcile", "--db", database_url)
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [["CONNECTION", "TICKETS"], ["desk", "3"], ["other", "1"]]
    assert err == "No server works on this database now; they are read as soon as one runs.\n"
    asked = on(database_url, wanted)
    assert [session for session, at in asked.items() if at is not None] == ["1", "2", "3", "4"]
    assert asked["2"] == NOON, "what is due already stays due"
    assert asked["3"] == asked["1"] <= datetime.now(UTC), "what was wanted later is wanted now"
    assert on(database_url, compared) == [False, False], "accounts are compared as a whole too"


def test_reconcile_keeps_to_one_connection(hitl, database_url):
    on(database_url, link)
    code, out, _ = hitl("reconcile --connection other --json", "--db", database_url)
    assert (code, json.loads(out)) == (0, {"connection": "other", "tickets": 1})
    asked = on(database_url, wanted)
    assert asked["1"] is None
    assert asked["4"] is not None
    assert on(database_url, compared) == [True, False]


def test_reconcile_without_open_tickets_says_so(hitl, database_url):
    assert hitl("reconcile", "--db", database_url) == (0, "", "No ticket is open.\n")


def test_reconcile_of_a_connection_nobody_knows_says_so_and_where_the_names_are(hitl, database_url):
    on(database_url, link)
    code, out, err = hitl("reconcile --connection dsek", "--db", database_url)
    assert (code, out) == (0, "")
    assert "No hand-off was ever on a connection 'dsek' of tenant 'default'" in err
    assert "hitl sessions list --all" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(("ago", "alive"), [(5, True), (20, False)])
def test_a_server_that_was_heard_of_lately_is_one_that_runs(hitl, database_url, ago, alive):
    async def beat(conn):
        await link(conn)
        seen = datetime.now(UTC) - timedelta(seconds=ago)
        await conn.execute(workers.insert(), {"id": "w", "started_at": NOON, "seen_at": seen})

    on(database_url, beat)
    err = hitl("reconcile", "--db", database_url)[2]
    assert ("No server works" not in err) is alive
    assert ("now (one that broke off was seen at 20" in err) is not alive
