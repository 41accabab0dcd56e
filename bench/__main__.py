"""Runs all of the bench: `python -m bench [--quick]`.

Owns: the order.
Never: measures.
Source: bench/README.md.
"""

from __future__ import annotations

import sys

from bench import pipeline, recovery, scale, whole_worker

if __name__ == "__main__":
    pipeline.main()
    quick = [flag for flag in sys.argv[1:] if flag == "--quick"]
    whole_worker.main(quick)
    recovery.main(quick)
    scale.main(quick)
