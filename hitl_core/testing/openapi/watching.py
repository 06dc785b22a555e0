"""Every request of a simulator's run, shown to a description."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import quote

from hitl_core.testing.openapi.description import Description
from hitl_core.testing.simulator import Simulator

__all__ = ["watched"]

_Simulated = TypeVar("_Simulated", bound=Simulator)


@contextmanager
def watched(simulator: _Simulated, described: Description, *, elsewhere: Iterable[str] = ()) -> Iterator[_Simulated]:
    """Check every request of the vendor's API that reaches a simulator, also those that are made to fail.

    :param elsewhere: how paths begin that the description is not about, such as ``"/oauth/"``; any other path it does
        not describe is a problem.
    :raises AssertionError: at the end, unless every request is as described: names operations and problems.
    """
    told: Counter[str] = Counter()
    beginnings = tuple(elsewhere)

    def look(scope: Mapping[str, Any], body: bytes) -> None:
        method, path = scope["method"], (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        problems = described.problems(method, path, scope["query_string"].decode("latin-1"), headers, body)
        if problems is not None:
            told.update(f"{described.operation(method, path)}: {problem}" for problem in problems)
        elif not path.startswith(beginnings):
            told[f"{method} {_masked(path)}: this path is not described"] += 1

    def before(app: Callable[..., Any]) -> Callable[..., Any]:
        async def looking(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
            messages = [await receive()]
            while messages[-1]["type"] == "http.request" and messages[-1].get("more_body"):
                messages.append(await receive())
            if messages[-1]["type"] == "http.request":
                look(scope, b"".join(message.get("body", b"") for message in messages))

            async def again() -> Any:
                return messages.pop(0) if messages else await receive()

            await app(scope, again, send)

        return looking

    simulator.put_before(before)
    yield simulator
    if told:
        lines = [f"{line} ({count} times)" if count > 1 else line for line, count in sorted(told.items())]
        msg = "\n  ".join(["the vendor's description forbids what was asked:", *lines])
        raise AssertionError(msg)


def _masked(path: str) -> str:
    """Leave out of a path what may be an id or a token."""
    return "/".join(part if re.fullmatch(r"[a-z_]{0,30}|v\d", part) else "…" for part in path.split("/"))
