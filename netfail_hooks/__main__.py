"""``python -m netfail_hooks``."""

from __future__ import annotations

import sys

from netfail_hooks.cli import entry

sys.exit(entry())
