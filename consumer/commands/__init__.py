"""The subcommands of ``propensity``, one module each, imported when invoked.

Owns: the list is the folder: ``<name>.py`` holds a click command named ``command``.
Never: imported as a whole; ``propensity --help`` must not pay for a learner.
Source: consumer/cli.py.
"""
