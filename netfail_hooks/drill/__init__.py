"""A fire drill: the uplink in use is made to fail, on the real machine, and all is put back.

``heal`` is imported by install and uninstall, which run without the libraries: what asks targets
is in files of its own.
"""
