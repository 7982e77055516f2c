"""What systemd-networkd reads and says: its files, their matching, networkctl."""
