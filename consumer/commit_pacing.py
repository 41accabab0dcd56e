"""When to commit: soon, and yet so seldom that throughput does not suffer.

Owns: the time of the next commit.
Never: commits, or reads a clock.
Source: a transaction costs some milliseconds, whatever it holds.
"""

from __future__ import annotations

SHARE_MAX = 1 / 16  # Of a worker's time that commits may take while there is a backlog.
INTERVAL_MAX_S = 1.0
RECORDS_MAX = 100_000  # So many produced records do not wait for the time.
NEWEST_WEIGHT = 0.2  # Of the last commit's duration in the running mean.


class CommitPacing:
    """Decides by time and size; under load, waits longer where commits take long.

    Parameters
    ----------
    interval_s: between two commits while there is no backlog.
    now_s: the monotonic time of the beginning.

    Examples
    --------
    >>> pacing = CommitPacing(interval_s=0.05, now_s=0.0)
    >>> pacing.due(now_s=0.04), pacing.due(now_s=0.05)
    (False, True)
    >>> pacing.committed(begun_s=0.05, ended_s=0.09)
    >>> pacing.at_s
    0.14
    >>> pacing.busy = True
    >>> pacing.committed(begun_s=1.0, ended_s=1.1)
    >>> round(pacing.at_s, 2)
    1.93
    """

    def __init__(self, interval_s: float, now_s: float) -> None:
        self._interval_s = interval_s
        self._took_s: float | None = None
        self._produced = 0
        self.busy = False
        self.at_s = now_s + interval_s

    def produced(self, records: int) -> None:
        """Note that so many records wait for the next commit."""
        self._produced += records

    def due(self, now_s: float) -> bool:
        """Whether it is time."""
        return now_s >= self.at_s or self._produced >= RECORDS_MAX

    def committed(self, begun_s: float, ended_s: float) -> None:
        """Note a commit (or that there was nothing to commit) and set the time of the next."""
        took_s = ended_s - begun_s
        if self._took_s is None:
            self._took_s = took_s
        self._took_s += NEWEST_WEIGHT * (took_s - self._took_s)
        wait_s = self._interval_s
        if self.busy:
            wait_s = max(wait_s, min(self._took_s / SHARE_MAX, INTERVAL_MAX_S))
        self.at_s = ended_s + wait_s
        self._produced = 0
        self.busy = False
