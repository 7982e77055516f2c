"""Wired/Wi-Fi failover for systemd-networkd machines, with no daemon of its own."""

__version__ = "0.1.0"
