"""The obvious function in a loop.

Owns: nothing more.
Never: anything that the function itself should do.
Source: bench/obvious.py.
"""

from bench.contestants.arguments import read_arguments
from bench.contestants.loop import run_loop
from bench.obvious import ObviousScorer

if __name__ == "__main__":
    arguments = read_arguments()
    scorer = ObviousScorer(
        arguments.goal, arguments.horizon_ms, arguments.lateness_ms, arguments.rate
    )
    run_loop(arguments, scorer.score)
