"""What the demo tells: failovers in a throw-away network."""
