"""What a person is told of an install or uninstall, before it and after it."""
