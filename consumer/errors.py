"""Errors by fault: this file holds the world's.

Owns: WorldError, the base of every error that an operator can mend.
Never: a sender's fault (schemas.errors) or a broken law of ours (assert).
Source: ARCHITECTURE.md, "Faults".
"""


class WorldError(Exception):
    """The world stands in the way: a broker is away, a topic or a file is missing.

    Parameters
    ----------
    problem
        What is wrong, as one sentence without a final stop.
    remedy
        What an operator does about it, as one sentence without a final stop.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}."
