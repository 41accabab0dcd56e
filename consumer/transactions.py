"""One transaction after another: what is produced and the positions that go with it.

Owns: the retry core: one deadline, four kinds of fault, and producing the same bytes again.
Never: imports a vendor's client, or decides what belongs together; the worker does.
Source: KIP-447 and KIP-691, https://cwiki.apache.org/confluence/display/KAFKA/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Protocol

from consumer.deadline import COMMIT_MAX_S, Deadline, Patience
from consumer.logs import say
from consumer.transport import Outgoing, OwnershipLostError, Partition, Position, TransportError

Aborted = Callable[[str], None]

RETRY_S = 0.02
FENCED_AGAIN_S = 60.0  # Twice within this time: somebody else has our name.


def unheard(reason: str) -> None:
    """Nobody asks why transactions are aborted."""
    del reason


class Fault(Enum):
    """What is to be done about a fault in a transaction."""

    AGAIN = "the same call may succeed"
    ABORT = "abort, then do all of it again"
    LOST = "the partitions are another's: abort, and let go of what was folded for them"
    FENCED = "somebody took our place: let go as if lost, and be a new producer"
    FATAL = "this producer is of no use any more"


class TransactionFault(Exception):  # noqa: N818 - a fault has a kind; not each is an error.
    """Raised by a `TransactionalProducer`."""

    def __init__(self, kind: Fault, error: TransportError) -> None:
        super().__init__(error.problem)
        self.kind = kind
        self.error = error


class TransactionalProducer(Protocol):
    """A producer whose calls raise `TransactionFault` and nothing else."""

    def begin(self) -> None:
        """Begin a transaction."""
        ...

    def put(self, outgoing: Outgoing) -> None:
        """Hand records over."""
        ...

    def send_offsets(self, positions: Mapping[Partition, Position]) -> None:
        """Let the transaction hold these positions, under the group's present generation."""
        ...

    def commit(self) -> None:
        """Wait until everything is in the log, then end the transaction well."""
        ...

    def abort(self) -> None:
        """End the transaction as if it had never been."""
        ...

    def renew(self) -> None:
        """Be a new producer under the same name, after having been fenced."""
        ...


class Transactions:
    """Commits outputs and positions together, or neither.

    What was produced since the last commit is kept, so that an aborted transaction is done again
    with the same bytes: the folds have moved on, and need not go back. `aborted` hears why one
    was aborted: a reason of `consumer.metrics.TRANSACTIONS_ABORTED`.
    """

    def __init__(
        self, producer: TransactionalProducer, patience: Patience, aborted: Aborted = unheard
    ) -> None:
        self._producer = producer
        self._patience = patience
        self._aborted = aborted
        self._pending: list[Outgoing] = []
        self._is_open = False
        self._is_broken = False
        self._fenced_s: float | None = None

    def put(self, outgoing: Outgoing) -> None:
        """Hand records over; they are visible only after the next `commit`.

        Raises
        ------
        TransportError: the producer is of no use any more.
        """
        self._pending.append(outgoing)
        if self._is_broken:
            return  # The next commit produces it with all the others.
        try:
            self._begin()
            self._producer.put(outgoing)
        except TransactionFault as fault:
            self._is_broken = True
            if fault.kind is Fault.FATAL:
                raise self._dead(fault) from fault
            say("commit_retried", fault=fault.kind.name.lower(), problem=fault.error.problem)

    def commit(self, positions: Mapping[Partition, Position]) -> None:
        """Commit what was put and these positions together.

        Raises
        ------
        OwnershipLostError: the group has moved on; the transaction is aborted and forgotten.
        TransportError: it cannot be done, or was not within the deadline.
        """
        deadline = self._patience.at_most(COMMIT_MAX_S)
        while True:
            try:
                self._commit(positions, deadline)
            except TransactionFault as fault:
                self._is_broken = True
                if fault.kind is Fault.FENCED:
                    self._renew(fault)
                    raise OwnershipLostError(fault.error.problem) from fault
                if fault.kind is Fault.LOST:
                    self._give_up("lost")
                    raise OwnershipLostError(fault.error.problem) from fault
                if fault.kind is Fault.FATAL or deadline.passed:
                    raise self._dead(fault) from fault
                say("commit_retried", fault=fault.kind.name.lower(), problem=fault.error.problem)
                self._patience.wait_s(RETRY_S)
            else:
                self._pending.clear()
                return

    def give_up(self) -> None:
        """Abort what is open and forget it: it belongs to partitions that are another's now.

        Raises
        ------
        TransportError: it cannot even be aborted.
        """
        self._give_up("given_back")

    def _give_up(self, reason: str) -> None:
        self._pending.clear()
        try:
            self._abort(self._patience.at_most(COMMIT_MAX_S), reason)
        except TransactionFault as fault:
            if fault.kind is not Fault.FENCED:
                raise self._dead(fault) from fault
            self._renew(fault)

    def lost(self) -> None:
        """We were thought dead: a successor may have ended what was open, and fenced us."""
        if self._is_open:
            self._aborted("lost")
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._pending.clear()
        self._is_open = self._is_broken = False
        self._producer.renew()

    def _renew(self, fault: TransactionFault) -> None:
        """Begin again after a successor has ended our transaction.

        It does so once we were silent for too long. Whoever is fenced again and again has a
        namesake.
        """
        now_s = self._patience.now_s
        if self._fenced_s is not None and now_s - self._fenced_s < FENCED_AGAIN_S:
            raise self._dead(fault) from fault
        self._fenced_s = now_s
        say("fenced", problem=fault.error.problem)
        self._aborted("fenced")
        self._begin_anew()

    def _dead(self, fault: TransactionFault) -> TransportError:
        """Leave what is open to the successor, which ends it; no call of ours can any more."""
        if self._is_open:
            self._aborted("failed")
        self._is_open = False
        return fault.error

    def _commit(self, positions: Mapping[Partition, Position], deadline: Deadline) -> None:
        if self._is_broken:
            self._abort(deadline)
            for outgoing in self._pending:
                self._begin()
                self._producer.put(outgoing)
        if positions:
            self._begin()
            self._persist(lambda: self._producer.send_offsets(positions), deadline)
        if self._is_open:
            self._end(deadline)
            self._is_open = False

    def _end(self, deadline: Deadline) -> None:
        """Commit. Once that may have happened, nothing is produced again: better a new process."""
        calls = 0

        def commit() -> None:
            nonlocal calls
            calls += 1
            self._producer.commit()

        try:
            self._persist(commit, deadline)
        except TransactionFault as fault:
            if fault.kind is Fault.ABORT and calls > 1:
                raise TransactionFault(Fault.FATAL, fault.error) from fault
            raise

    def _begin(self) -> None:
        if not self._is_open:
            self._producer.begin()
            self._is_open = True

    def _abort(self, deadline: Deadline, reason: str = "again") -> None:
        if self._is_open:
            self._persist(self._producer.abort, deadline)
            self._aborted(reason)
        self._is_open = self._is_broken = False

    def _persist(self, call: Callable[[], None], deadline: Deadline) -> None:
        """Make a call until it succeeds, or fails for another reason than haste."""
        said = False
        while True:
            try:
                call()
            except TransactionFault as fault:
                if fault.kind is not Fault.AGAIN or deadline.passed:
                    raise
                if not said:
                    say("commit_waits", problem=fault.error.problem)
                said = True
                self._patience.wait_s(RETRY_S)
            else:
                return
