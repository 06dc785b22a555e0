"""A process in which `hitl` is run again and again: a line of JSON with its arguments in, a line with what came out."""

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

from hitl_core.cli import run


def main():
    """Run commands until nobody is there any more."""
    answers = sys.stdout
    for line in sys.stdin:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(json.loads(line))
        answers.write(json.dumps([code, out.getvalue(), err.getvalue()]) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
