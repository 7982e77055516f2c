"""Debian's own tools judge Debian's package; elsewhere there are none."""

from __future__ import annotations

import os

collect_ignore = [] if os.path.exists("/etc/debian_version") else ["test_lintian.py"]
