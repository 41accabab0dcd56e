"""``python -m consumer``: the console script where nothing is installed yet.

Owns: nothing.
Never: does more than call the command line.
Source: consumer/cli.py.
"""

from consumer.cli import main

if __name__ == "__main__":
    main()
