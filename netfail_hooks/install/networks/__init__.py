"""The ``.network`` files of either mode, and how a running machine goes from one to the other."""
