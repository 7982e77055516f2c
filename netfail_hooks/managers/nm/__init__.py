"""NetworkManager's own files, read part by part, and what it says itself (``nmcli``)."""
