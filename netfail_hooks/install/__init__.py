"""What changes the machine for good, and gives it back."""
