"""Wired/Wi-Fi failover: pull the cable and everything goes on by Wi-Fi.

``cli/NAME.py`` is the command NAME; ``hook.py`` and ``check.py`` are what the machine starts.
``reconcile/`` looks, decides, acts and records, once; ``policy/`` decides and touches nothing.
``kernel/`` talks to the kernel, ``probe/`` to gateways, ``networkd/`` to systemd-networkd's files.
``install/`` changes the machine for good; ``recorder/`` remembers for people.
``config/`` is config.toml and its values; ``lab/`` builds a throw-away network.
``status/ doctor/ timeline/ bundle/ report/ replay/ demo/ metrics/``: more than a page each.
Imports lead downwards only: docs/dev/architecture.md has the floors, and one observation's way.
"""

__version__ = "0.1.0"
