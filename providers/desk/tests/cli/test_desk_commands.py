"""``hitl desk``: agents and bots are let in by commands whose mistakes are sentences."""

import asyncio
import json

import pytest
from hitl_desk.server import ServerSettings, migrate

from hitl_core.cli import run


@pytest.fixture
def desk(tmp_path, capsys):
    """Run a command on a desk of its own; give exit code, output and messages."""
    asyncio.run(migrate(ServerSettings(data_dir=tmp_path / "desk")))

    def command(*args):
        code = run(["desk", *args, "--data", str(tmp_path / "desk")])
        captured = capsys.readouterr()
        return code, captured.out.strip(), captured.err.strip()

    return command


def test_a_bots_token_is_data_and_the_advice_a_message(desk):
    code, out, err = desk("create-bot", "--name", "Shop bot")
    assert code == 0
    assert out.startswith("dbk_")
    assert out not in err
    assert "HITL_DESK_TOKEN" in err


def test_migrating_what_is_up_to_date_does_nothing(desk):
    assert [desk("migrate")[::2] for _ in range(2)] == [(0, "The database is up to date.")] * 2


def test_bots_are_listed_kept_out_and_let_in(desk):
    bot = json.loads(desk("create-bot", "--name", "Shop bot", "--json")[1])
    assert desk("connect", bot["id"], "--off")[1].split() == [bot["id"], "off", "Shop", "bot"]
    assert desk("connect", bot["id"])[1].split()[1] == "connected"
    (row,) = json.loads(desk("connect", "--json")[1])
    assert (row["id"], row["enabled"], "token" in row) == (bot["id"], True, False)


def test_an_agent_gets_a_link_or_a_password_never_by_flag(desk, monkeypatch):
    code, link, _ = desk("create-agent", "--email", "ada@example.com", "--name", "Ada", "--link")
    assert (code, link.startswith("http://127.0.0.1:8765/inbox/enter?token=")) == (0, True)
    monkeypatch.setenv("HITL_DESKSERVER_AGENT_PASSWORD", "correct horse battery")
    code, out, err = desk("create-agent", "--email", "ada@example.com", "--name", "Ada L.")
    assert (code, out.startswith("agt_"), err) == (0, True, "")


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["create-agent", "--email", "ada", "--name", "Ada", "--link"], "an agent needs an e-mail address"),
        (["create-bot", "--name", " "], "a bot needs a name"),
        (["connect", "bot_none"], "there is no bot 'bot_none'"),
        (["serve", "--port", "70000"], "70000 is not in the range"),
        (["serve", "--public-url", "desk.example.com"], "begins with https:// or http://"),
        (["serve", "--host", "192.0.2.1"], "cannot listen on 192.0.2.1"),
    ],
)
def test_a_mistake_is_a_sentence_with_exit_code_2(desk, args, sentence):
    code, out, err = desk(*args)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err


def test_a_short_password_is_refused_without_repeating_it(desk, monkeypatch):
    monkeypatch.setenv("HITL_DESKSERVER_AGENT_PASSWORD", "hunter2")
    code, _, err = desk("create-agent", "--email", "ada@example.com", "--name", "Ada")
    assert code == 2
    assert "at least 8 characters" in err
    assert "hunter2" not in err


def test_a_data_directory_that_cannot_be_used_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert run(["desk", "serve", "--port", "0", "--data", str(tmp_path / "file" / "below")]) == 2
    assert "name another directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [
        ["connect"],
        ["connect", "bot_1", "--off"],
        ["create-bot", "--name", "Shop bot"],
        ["create-agent", "--email", "ada@example.com", "--name", "Ada", "--link"],
        ["create-agent", "--email", "ada@example.com", "--name", "Ada"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_command_for_a_desk_that_is_not_there_says_so_and_makes_none(args, elsewhere, tmp_path, capsys, monkeypatch):
    place = tmp_path / "my desk"
    if elsewhere:
        monkeypatch.setenv("HITL_DESKSERVER_DATABASE_URL", f"sqlite:///{tmp_path / 'other.db'}")
    assert run(["desk", *args, "--data", str(place)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert f"there is no desk in {tmp_path / 'other.db' if elsewhere else place}; " in captured.err
    assert f"`hitl desk serve --data '{place}'`" in captured.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["desk.db", "mysql://root@127.0.0.1/desk"])
def test_a_database_that_cannot_be_a_desks_is_refused_by_what_to_write(url, desk, monkeypatch):
    monkeypatch.setenv("HITL_DESKSERVER_DATABASE_URL", url)
    code, _, err = desk("connect")
    assert (code, "sqlite:///file.db or postgresql://user@host/name" in err) == (2, True)
