"""What is wrong on a machine, and the command that fixes it."""
