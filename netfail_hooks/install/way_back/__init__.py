"""The way back from a switch of modes that cut the machine off, or killed its installer.

Before the switch the old state of every file lies in /run, and something waits: a transient
timer where systemd runs the machine, else a process of our own. Who installs calls it off once
the gateway answers. Its file says by flock(2) whose turn it is: the way back holds it until all is
as it was, an install while it changes something, and from its last word on. Once the way back was
taken an install changes nothing any more.

One that leads uplinks back to other managers is taken again and again, every AGAIN seconds, until
each is where it was: however long a manager is silent, networkd has meanwhile what it may have let
go, by our files. What an uninstall could not give back takes the same way.

``arming`` has it come, ``kept`` is what waits meanwhile, ``turn`` says whose turn it is, and
``waiting`` whom it waits for. ``install/rollback.py`` takes it.
"""
