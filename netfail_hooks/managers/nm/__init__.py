"""The parts of reading NetworkManager's own files: their grammar, addresses, radio, identity."""
