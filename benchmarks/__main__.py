"""Run every benchmark, or those named: ``python -m benchmarks [webhook] [send] [imports] [relay] [zendesk] [bridge]``.

One part of the bridge's is named with it, such as ``bridge.latency``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from benchmarks import imports, relay, send, webhook, zendesk
from benchmarks.bridge import parts

ALL: dict[str, Callable[[], None]] = {
    "webhook": webhook.main,
    "send": send.main,
    "imports": imports.main,
    "relay": relay.main,
    "zendesk": zendesk.main,
    "bridge": partial(parts.run, list(parts.PARTS)),
}
KNOWN = ALL | {f"bridge.{name}": partial(parts.run, [name]) for name in parts.PARTS}


def main() -> int:
    """Run, print, and say by the exit code whether the names were right; missing an aim is printed, not punished."""
    names = sys.argv[1:] or list(ALL)
    unknown = [name for name in names if name not in KNOWN]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(KNOWN)}", file=sys.stderr)
        return 2
    for name in names:
        KNOWN[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
