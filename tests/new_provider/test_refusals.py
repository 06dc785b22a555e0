"""A wrong name or place is refused with one sentence that says what to do instead, and nothing is written."""

import json
from importlib.resources import files

import pytest

from hitl_core.cli import run
from hitl_core.cli.new_provider import commands

BAD_NAMES = [
    "Acme",
    "acme_desk",
    "acme desk",
    "-acme",
    "acme-",
    "a--b",
    "acmé",
    "a/b",
    "..",
    "",
    "n" * 25,
    "客服",
    "3cx",
]


def refused(capsys, *args):
    """Run the command; return the sentence it refuses with."""
    assert run(["new-provider", *args]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    (line,) = captured.err.splitlines()
    return line


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_cannot_be_one_is_refused_with_an_example(name, capsys, tmp_path):
    assert "such as '" in refused(capsys, "--dir", str(tmp_path), "--", name)
    assert list(tmp_path.iterdir()) == []


def test_the_example_is_near_to_what_was_meant(capsys, tmp_path):
    assert "such as 'acme-desk-2'" in refused(capsys, "Acme_Desk 2", "--dir", str(tmp_path))
    assert "such as 'cx'" in refused(capsys, "3cx", "--dir", str(tmp_path))


@pytest.mark.parametrize("name", ["class", "async", "lambda"])
def test_a_word_of_python_is_refused(name, capsys, tmp_path):
    assert f"such as '{name}-desk'" in refused(capsys, name, "--dir", str(tmp_path))


def test_a_published_or_installed_provider_is_refused(capsys, tmp_path):
    for name in json.loads(files("hitl_core").joinpath("published_providers.json").read_text("utf-8")):
        assert "choose another name" in refused(capsys, name, "--dir", str(tmp_path))


def test_a_published_provider_is_refused_where_it_is_not_installed(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.path", [])  # nothing is installed there
    assert "is published already; use it (pip install hitl-desk)" in refused(capsys, "desk", "--dir", str(tmp_path))


def test_an_installed_provider_is_refused_by_its_distribution(capsys, tmp_path, monkeypatch):
    info = tmp_path / "hitl_acme-1.2.3.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hitl-acme\nVersion: 1.2.3\n")
    (info / "entry_points.txt").write_text("[hitl.providers]\nacme = hitl_acme:AcmeProvider\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "installed already, from hitl-acme 1.2.3" in refused(capsys, "acme", "--dir", str(tmp_path))


def test_a_name_whose_package_would_hide_another_is_refused(capsys, tmp_path):
    assert "a package hitl_core is installed already" in refused(capsys, "core", "--dir", str(tmp_path))


def test_a_folder_with_something_in_it_is_left_alone(capsys, tmp_path):
    mine = tmp_path / "hitl-acme" / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    assert "name another place with --dir" in refused(capsys, "acme", "--dir", str(tmp_path))
    assert [path.name for path in mine.parent.iterdir()] == ["mine.txt"]


def test_a_file_of_that_name_is_left_alone(capsys, tmp_path):
    (tmp_path / "hitl-acme").write_text("mine")
    assert "name another place with --dir" in refused(capsys, "acme", "--dir", str(tmp_path))


def test_a_place_that_cannot_be_written_to_is_named(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert "name another folder with --dir" in refused(capsys, "acme", "--dir", str(tmp_path / "file"))


@pytest.mark.parametrize("option", ["--title", "--author"])
@pytest.mark.parametrize("value", [" ", "two\nlines", "bell\a", "x" * 201, "left\u202eright"])
def test_a_title_or_author_of_more_than_one_plain_line_is_refused(option, value, capsys, tmp_path):
    assert f"{option} must be one line" in refused(capsys, "acme", option, value, "--dir", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_filled_and_the_next_commands_are_printed(capsys, tmp_path):
    parent = tmp_path / "with a blank"
    folder = parent / "hitl-acme"
    folder.mkdir(parents=True)
    assert run(["new-provider", "acme", "--title", "Acme Desk", "--dir", str(parent)]) == 0
    out = capsys.readouterr().out
    printed = [line.strip() for line in out.splitlines() if line.startswith("  ")]
    assert printed[0] == f'cd "{folder}"'
    assert printed[-1].endswith("pytest")
    assert (folder / "hitl_acme" / "provider.py").is_file()
    assert (folder / "cassettes" / ".gitkeep").read_bytes() == b""


def test_without_uv_pip_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["new-provider", "acme", "--dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "  pip install " in out
    assert "uv " not in out


@pytest.mark.parametrize(
    ("checkout", "uv", "expected"),
    [
        (None, False, ['pip install -e ".[test]"', "pytest"]),
        ("/src/my hitl", False, ['pip install -e "/src/my hitl" -e ".[test]"', "pytest"]),
        (
            "/src/hitl",
            True,
            ["uv venv", 'uv pip install --python .venv -e /src/hitl -e ".[test]"', "uv run --no-sync pytest"],
        ),
    ],
)
def test_the_commands_install_hitl_core_from_where_it_came(checkout, uv, expected, tmp_path):
    assert commands(tmp_path, checkout=checkout, uv=uv) == [f"cd {tmp_path}", *expected]


@pytest.mark.parametrize(
    ("origin", "named"),
    [
        ({"url": "file:///src/my%20hitl", "dir_info": {"editable": True}}, '-e "/src/my hitl" '),
        ({"url": "file:///dist/hitl_core-0.1.0-py3-none-any.whl", "archive_info": {}}, "-e PATH-TO-HITL "),
        (None, None),
    ],
)
def test_a_checkout_is_named_in_the_commands_and_never_in_the_files(origin, named, capsys, tmp_path, monkeypatch):
    info = tmp_path / "site" / "hitl_core-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hitl-core\nVersion: 0.1.0\n")
    if origin:
        (info / "direct_url.json").write_text(json.dumps(origin))
    monkeypatch.syspath_prepend(str(info.parent))
    assert run(["new-provider", "acme", "--dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert named in out if named else "once hitl-core is published" not in out
    written = [file.read_text("utf-8") for file in (tmp_path / "hitl-acme").rglob("*") if file.is_file()]
    assert not [text for text in written if "my hitl" in text]


@pytest.mark.parametrize("name", ["hitl-acme", "hitl-hitl-acme"])
def test_the_prefix_of_packages_is_no_part_of_the_name(name, capsys, tmp_path):
    assert run(["new-provider", name, "--dir", str(tmp_path)]) == 0
    assert "The provider is called 'acme'; hitl-acme is its package." in capsys.readouterr().out
    assert (tmp_path / "hitl-acme" / "hitl_acme" / "provider.py").is_file()


@pytest.mark.parametrize("name", ["hitl", "hitl-hitl"])
def test_the_prefix_alone_is_refused(name, capsys, tmp_path):
    assert "such as 'acme-desk'" in refused(capsys, name, "--dir", str(tmp_path))


@pytest.mark.parametrize("author", ["Ada <notmail", "Ada <not an address>", "ada@example.com", "Ada ada@example.com>"])
def test_half_an_address_is_refused(author, capsys, tmp_path):
    assert "half an address" in refused(capsys, "acme", "--author", author, "--dir", str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_no_byte_is_written_in_the_platforms_own_way(tmp_path):
    assert run(["new-provider", "acme", "--title", "客服", "--dir", str(tmp_path)]) == 0
    for file in (tmp_path / "hitl-acme").rglob("*"):
        if file.is_file():
            assert b"\r" not in file.read_bytes()
    assert "客服" in (tmp_path / "hitl-acme" / "README.md").read_text("utf-8")
