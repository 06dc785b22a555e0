"""Run every benchmark, or those named: ``python -m benchmarks [webhook] [send] [imports] [relay]``."""

from __future__ import annotations

import sys

from benchmarks import imports, relay, send, webhook

ALL = {"webhook": webhook.main, "send": send.main, "imports": imports.main, "relay": relay.main}


def main() -> int:
    """Run, print, and say by the exit code whether the names were right; missing an aim is printed, not punished."""
    names = sys.argv[1:] or list(ALL)
    unknown = [name for name in names if name not in ALL]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(ALL)}", file=sys.stderr)
        return 2
    for name in names:
        ALL[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
