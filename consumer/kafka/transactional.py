"""Exactly once: outputs and positions in one Kafka transaction.

Owns: what each of the client's errors in a transaction means.
Never: retries; `consumer/transactions.py` does.
Source: https://docs.confluent.io/platform/current/clients/librdkafka/html/md_INTRODUCTION.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import KafkaError, KafkaException, Producer

from consumer.deadline import Patience
from consumer.kafka.delivery import GroupInWords, Member
from consumer.kafka.errors import FENCED, OWNERSHIP_LOST, is_passing
from consumer.kafka.outbox import Outbox
from consumer.kafka.places import offsets
from consumer.logs import say
from consumer.transactions import Aborted, Fault, TransactionFault, Transactions, unheard
from consumer.transport import Outgoing, Partition, Position, TransportError

CALL_MAX_S = 5.0
INIT_MAX_S = 30.0
FIRST_RECORD_MAX_S = 1.0
# What the client says of a record produced into a transaction that must be aborted.
NOT_NOW = "_STATE"


class KafkaProducer:
    """`TransactionalProducer` on librdkafka; `make` makes a client under our name."""

    def __init__(
        self,
        make: Callable[[], Producer],
        outbox: Outbox,
        member: Member,
        patience: Patience,
        in_words: GroupInWords,
    ) -> None:
        self._make = make
        self._outbox = outbox
        self._member = member
        self._patience = patience
        self._in_words = in_words
        self._is_ready = False

    def be_ready(self) -> None:
        """Fence a namesake and abort what it left open; once.

        Not before we are a member of the group: a neighbour that takes partitions over from us
        would otherwise fence our new life for the old one's sake.
        """
        if not self._is_ready:
            self._outbox.producer.init_transactions(self._patience.left_s(INIT_MAX_S))
            self._is_ready = True

    def begin(self) -> None:
        with self._faults():
            self.be_ready()
            self._outbox.producer.begin_transaction()

    def put(self, outgoing: Outgoing) -> None:
        with self._faults():
            self._outbox.put(outgoing)
        self._raise_undelivered()

    def send_offsets(self, positions: Mapping[Partition, Position]) -> None:
        with self._faults():
            # A generation that has passed is what fences us: ask for the present one each time.
            member = self._member().consumer_group_metadata()
            self._outbox.producer.send_offsets_to_transaction(
                offsets(positions), member, self._patience.left_s(CALL_MAX_S)
            )

    def commit(self) -> None:
        with self._faults():
            self._outbox.producer.commit_transaction(self._patience.left_s(CALL_MAX_S))
        self._raise_undelivered()

    def abort(self) -> None:
        with self._faults():
            # An abort that overtakes the transaction's first record kills the producer
            # (https://github.com/confluentinc/librdkafka/issues/4849): let that arrive first.
            self._outbox.producer.flush(self._patience.left_s(FIRST_RECORD_MAX_S))
            self._outbox.producer.abort_transaction(self._patience.left_s(CALL_MAX_S))
        self._outbox.failure = None  # What was purged is produced again.

    def renew(self) -> None:
        self._outbox.producer = self._make()
        self._outbox.failure = None
        self._is_ready = False

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except KafkaException as error:
            self._raise_undelivered()
            failed: KafkaError = error.args[0]
            raise TransactionFault(fault_of(failed), self._in_words(failed)) from error

    def _raise_undelivered(self) -> None:
        """Say what became of a record, which says more than the transaction it spoiled."""
        failure = self._outbox.failure
        if failure is None:
            return
        error, _ = failure
        if error.name() in FENCED:
            raise TransactionFault(Fault.FENCED, self._outbox.error())
        passes = error.name() in {NOT_NOW, "_MSG_TIMED_OUT"} or is_passing(error)
        raise TransactionFault(Fault.ABORT if passes else Fault.FATAL, self._outbox.error())


def fault_of(error: KafkaError) -> Fault:
    """What is to be done about an error in a transaction."""
    if error.name() in FENCED:
        return Fault.FENCED
    if error.fatal():
        return Fault.FATAL
    if error.name() in OWNERSHIP_LOST:
        return Fault.LOST
    if error.txn_requires_abort() or error.name() == NOT_NOW:
        return Fault.ABORT
    return Fault.AGAIN if is_passing(error) else Fault.FATAL


class InTransactions:
    """`Delivery` by transactions."""

    def __init__(
        self, producer: KafkaProducer, patience: Patience, aborted: Aborted = unheard
    ) -> None:
        self._producer = producer
        self._transactions = Transactions(producer, patience, aborted)

    def be_ready(self) -> None:
        self._producer.be_ready()

    def put(self, outgoing: Outgoing) -> None:
        self._transactions.put(outgoing)

    def commit(self, positions: Mapping[Partition, Position], *, giving_back: bool) -> None:
        del giving_back  # A transaction's answer is always waited for.
        self._transactions.commit(positions)

    def give_back(self) -> None:
        self._transactions.give_up()

    def forget(self) -> None:
        self._transactions.give_up()

    def lost(self) -> None:
        self._transactions.lost()

    def close(self) -> None:
        try:
            self._transactions.give_up()
        except TransportError as error:
            # Whoever takes the partitions over ends it, and the broker does in time.
            say("transaction_left_open", problem=error.problem)
