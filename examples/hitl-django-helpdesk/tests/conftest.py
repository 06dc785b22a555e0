"""Where the package is, and what can be collected where django-helpdesk is not installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # the example is run from its source, not installed

if importlib.util.find_spec("helpdesk") is None:  # test_installed.py says so
    collect_ignore = ["test_conformance.py", "test_helpdesk.py", "test_texts.py"]
