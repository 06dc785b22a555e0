"""Importing ``hitl_core`` against importing its dependencies, with one pydantic model built."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.pairs import Pairs

RUNS = 25
DEPENDENCIES = ("anyio", "bs4", "click", "filelock", "httpx", "markdownify", "pluggy", "pydantic", "tenacity")
_TIMED = "import time; start = time.perf_counter(); {code}; print(time.perf_counter() - start)"
_OURS = "import hitl_core"
_MODEL = "M = pydantic.create_model('M', name=(str, ...), age=(int, 0)); M(name='a')"


def _seconds(code: str) -> float:
    done = subprocess.run([sys.executable, "-c", _TIMED.format(code=code)], capture_output=True, check=True)  # noqa: S603 - our own text
    return float(done.stdout)


def pulled_in() -> list[str]:
    """Return the dependencies that ``import hitl_core`` really imports: the others would flatter the ratio."""
    code = f"import json, sys, hitl_core; print(json.dumps([d for d in {DEPENDENCIES!r} if d in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)  # noqa: S603 - our own text
    names: list[str] = json.loads(done.stdout)
    return names


def compare(name: str, dependencies: Sequence[str], aim: float) -> None:
    """Time ours and the baseline in turn; print the ratio."""
    base = f"import {', '.join(dependencies)}, pydantic; {_MODEL}"
    _seconds(_OURS), _seconds(base)
    pairs = Pairs([], [])
    for _ in range(RUNS):
        pairs.ours.append(_seconds(_OURS))
        pairs.base.append(_seconds(base))
    print(pairs.ratio_line(f"imports: hitl_core over {name} ({', '.join(dependencies)}) and one model", aim=aim))


def main() -> None:
    """Print the ratio to what it stands on, and the harder one: to what it imports of that."""
    compare("what it stands on", ("pluggy", "pydantic", "httpx", "tenacity"), aim=1.4)
    compare("what it pulls in", pulled_in(), aim=1.4)


if __name__ == "__main__":
    main()
