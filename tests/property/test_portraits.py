"""What is said of a customer who is asked about, beside what was published of them.

Owns: that asking gives what an event would have been given, and changes nothing.
Never: how it is put into words.
Source: docs/contract.md, "HTTP".
"""

from __future__ import annotations

import math
from collections import defaultdict

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from consumer.encoding import ScoreEncoder
from models.plan import Plan, compile_plan
from models.scorer import Scorer
from schemas.campaign import CampaignFile
from schemas.score import ScoreEntry, decode_score
from tests.event_logs import TOPIC, LoggedEvent, campaign_files, logs, records_of
from tests.random_models import random_model

SEEDS = st.integers(0, 2**32)


def folded(plan: Plan, events: list[LoggedEvent], seed: int) -> tuple[Scorer, list[ScoreEntry]]:
    """A fold with a model of every campaign, and the scores of the log's last event."""
    scorer, records = Scorer(plan), records_of(events)
    for index, campaign in enumerate(plan.campaigns):
        assert scorer.install(random_model(plan, campaign, seed + index))
    given = scorer.fold(records.offsets, records.timestamps_ms, records.keys, records.values)
    _, values = ScoreEncoder(plan, TOPIC, 0).encode(given)
    last = [decode_score(value) for value in values[-1:]]
    scores = [record.scores for record in last if record.source.offset == records.offsets[-1]]
    return scorer, scores[0] if scores else []


def plain(entry: ScoreEntry) -> ScoreEntry:
    """An entry without what is only said where an example opens."""
    return msgspec.structs.replace(entry, experts={})


@given(campaign_files(), logs(), SEEDS, st.sampled_from(("view", "buy", "mail")))
def test_who_is_asked_about_gets_the_score_of_the_last_event(
    file: CampaignFile, log: list[LoggedEvent], seed: int, kind: str
) -> None:
    """Right after an event without properties, its customer's scores are the published ones."""
    plan = compile_plan(file)
    last = LoggedEvent("ann", kind, max(event.at_ms for event in log), "the last")
    scorer, published = folded(plan, [*log, last], seed)
    found = scorer.portrait("ann")
    assert found is not None
    entries = ScoreEncoder(plan, TOPIC, 0).entries_of(found)
    for_all = {each.name for each in file.campaigns.values() if not each.eligible}
    assert for_all <= {entry.campaign for entry in entries} <= set(plan.campaigns)
    by_campaign = {entry.campaign: entry for entry in entries}
    for entry in published:
        assert plain(entry) == by_campaign[entry.campaign]


@given(campaign_files(), logs(), SEEDS)
def test_features_add_up_to_the_score(
    file: CampaignFile, log: list[LoggedEvent], seed: int
) -> None:
    """Baseline and features are the score's logit (or value); by source they are its reasons."""
    plan = compile_plan(file)
    scorer, _ = folded(plan, log, seed)
    found = scorer.portrait("zoe", terms_max=10_000)
    few = scorer.portrait("zoe", terms_max=3)
    assert found is not None
    assert few is not None
    for entry in ScoreEncoder(plan, TOPIC, 0).entries_of(found):
        terms, others = found.terms[entry.campaign]
        assert others == 0.0
        strongest, others = few.terms[entry.campaign]
        assert strongest == terms[:3]
        assert abs(others - math.fsum(term.contribution for term in terms[3:])) < 1e-9
        if entry.status == "warming":
            continue
        total = entry.baseline + math.fsum(term.contribution for term in terms)
        if entry.probability is None:
            assert math.isclose(total, entry.expected_value or 0.0, rel_tol=1e-6, abs_tol=1e-5)
        elif abs(total) < 10.0:
            logit = math.log(entry.probability / (1.0 - entry.probability))
            assert abs(total - logit) < 1e-5
        by_source: defaultdict[str, float] = defaultdict(float)
        for term in terms:
            by_source[term.source] += term.contribution
        for reason in entry.reasons:
            assert abs(by_source[reason.source] - reason.contribution) < 1e-5
        sizes = [abs(term.contribution) for term in terms]
        assert sizes == sorted(sizes, reverse=True)


@given(campaign_files(), logs(lengths=(12, 40)), SEEDS)
def test_asking_changes_nothing(file: CampaignFile, log: list[LoggedEvent], seed: int) -> None:
    """A fold that was asked about everybody after each batch is the one that was not."""
    plan = compile_plan(file)
    records = records_of(log)
    states, outputs = [], []
    for asked in (False, True):
        scorer, encoder = Scorer(plan), ScoreEncoder(plan, TOPIC, 0)
        for index, campaign in enumerate(plan.campaigns):
            assert scorer.install(random_model(plan, campaign, seed + index))
        out: list[bytes] = []
        for first in range(0, len(records), 5):
            piece = records.cut(first, min(first + 5, len(records)))
            given = scorer.fold(piece.offsets, piece.timestamps_ms, piece.keys, piece.values)
            out += [*encoder.encode(given)[1], *given.rows.values]
            if asked:
                for customer in ("ann", "bob", "zoe", "nobody"):
                    known = scorer.portrait(customer)
                    if known is not None:
                        encoder.entries_of(known)
        outputs.append(out)
        states.append(scorer.lift())
    assert outputs[0] == outputs[1]
    assert states[0].facts == states[1].facts
    for name, array in states[0].arrays.items():
        assert array.tobytes() == states[1].arrays[name].tobytes(), name


@given(campaign_files(), logs())
def test_a_portrait_has_what_is_open(file: CampaignFile, log: list[LoggedEvent]) -> None:
    """As many examples as the fold holds are told, each with its times in their order."""
    plan = compile_plan(file)
    scorer, _ = folded(plan, log[:-2], 1)  # Without the silence that closes everything.
    people = {event.customer for event in log[:-2]}
    found = [scorer.portrait(customer) for customer in sorted(people)]
    known = [each for each in found if each is not None]
    assert len(known) == scorer.counts.profiles == len(people)
    held = scorer.counts.open_examples + scorer.counts.open_outcomes
    assert sum(each.open_count for each in known) == held
    for each in known:
        assert len(each.open_examples) == each.open_count
        for example in each.open_examples:
            assert example.as_of_ms <= example.deadline_ms < example.closes_at_ms
            assert example.as_of_ms <= each.clock_ms
