"""The Desk Protocol's OpenAPI document as a file; ``python -m hitl_desk.server.openapi FILE`` writes it."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from hitl_desk.server.app import create_app
from hitl_desk.server.settings import ServerSettings

__all__ = ["document", "write"]


def document() -> str:
    """Return the document as text, the same each time."""
    with tempfile.TemporaryDirectory() as folder:
        made = create_app(ServerSettings(data_dir=Path(folder))).openapi()
    return json.dumps(made, indent=2, ensure_ascii=False) + "\n"


def write(path: Path) -> None:
    """Write the document to a file."""
    path.write_text(document(), "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/desk-openapi.json"))
