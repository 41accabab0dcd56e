"""Publishes what it reads: the limit that no worker in Python passes.

Owns: nothing more.
Never: looks into a record.
Source: none.
"""

from bench.contestants.arguments import read_arguments
from bench.contestants.loop import run_loop

if __name__ == "__main__":
    run_loop(read_arguments(), None)
