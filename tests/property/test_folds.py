"""The laws of the scorer: batches don't matter, nothing is peeked at, reasons sum to the score.

Owns: what holds for every log, every campaign file, every model and every limit.
Never: whether a label or a feature is the right one; its neighbours ask that.
Source: ARCHITECTURE.md, "What never happens".
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from consumer.transport import Records
from models.layout import named_types
from models.plan import LANES, Limits, Plan, compile_plan
from models.rows import customer_hash
from models.scorer import HASH_KEY
from schemas.campaign import CampaignFile
from schemas.example import TrainingExample, decode_example
from schemas.model_record import ModelRecord, ValueWeights
from tests.event_logs import UNHURRIED, campaign_files, fold_records, logs, records_of
from tests.naive_controls import controlled
from tests.quiet_files import quiet
from tests.random_models import random_model

CUSTOMERS = ("ann", "ann", "bob", "cy", "dan", "eve", "flo")
TIGHT = Limits(
    profiles_max=3,
    open_examples_max=6,
    seen_ids_max=5,
    closes_per_event_max=1,
    timers_per_event_max=1,
    category_values_max=3,
)
LIMITS = (
    Limits(),
    TIGHT,
    replace(Limits(), profiles_max=1),
    replace(Limits(), open_examples_max=3, closes_per_event_max=2),
    replace(Limits(), seen_ids_max=1, category_values_max=1),
)
BROKEN = (b"", b"{", b"\xff", b'{"customer_id":"ann"}', b'{"customer_id":"ann","type":"buy"', None)
Models = dict[int, list[ModelRecord]]
Scored = tuple[int, str, str]


@st.composite
def records(draw: st.DrawFn) -> Records:
    """A log with unreadable records, foreign keys and stamps that some events are ahead of."""
    events = draw(controlled(logs(lengths=(12, 40), customers=CUSTOMERS)))
    found = records_of(events, first=1000)
    for index, event in enumerate(events):
        kind = draw(st.integers(0, 11))
        if kind == 0:
            found.values[index] = draw(st.sampled_from(BROKEN))
        elif kind == 1:
            found.keys[index] = draw(st.sampled_from((None, b"someone else", b"\xff")))
        else:
            ahead_ms = draw(st.sampled_from((0, 300_000, 300_001)))
            found.timestamps_ms[index] = event.at_ms - ahead_ms
    return found


@st.composite
def models(draw: st.DrawFn, plan: Plan, positions: int) -> Models:
    """Models by the position before which they are installed."""
    seeds = st.integers(0, 2**32)
    places = draw(st.sets(st.integers(0, positions - 1), max_size=4))
    return {
        place: [random_model(plan, name, draw(seeds)) for name in plan.campaigns]
        for place in sorted({0, *places})
    }


@given(st.data(), quiet(campaign_files(timers=True)), records(), st.sampled_from(LIMITS))
def test_batches_do_not_matter(
    data: st.DataObject, file: CampaignFile, log: Records, limits: Limits
) -> None:
    """Cut anywhere, a log gives the same bytes, with models changing at fixed positions."""
    plan = compile_plan(file, limits)
    installs = data.draw(models(plan, len(log)))
    cuts = data.draw(st.lists(st.integers(0, len(log))))
    one, whole = fold_records(plan, log, installs=installs)
    for edges in (range(len(log)), cuts):
        other, pieces = fold_records(plan, log, edges, installs)
        assert pieces == whole
        assert other.counts == one.counts
        assert other.ignored == one.ignored


@given(st.data(), quiet(campaign_files(timers=True, campaigns_max=LANES + 2)), records())
def test_a_campaign_is_scored_as_if_it_were_alone(
    data: st.DataObject, file: CampaignFile, log: Records
) -> None:
    """Other campaigns, summed side by side or not, change no digit of what is said of one.

    What they do change is which types have counters of their own; so all files name them all.
    """
    file = replace(file, events=replace(file.events, count=named_types(file)))
    whole = compile_plan(file, UNHURRIED)
    installs = data.draw(models(whole, len(log)))
    together = entries(fold_records(whole, log, (), installs)[1].scores)
    for name, campaign in file.campaigns.items():
        plan = compile_plan(replace(file, campaigns={name: campaign}), UNHURRIED)
        own = {
            place: [model for model in found if model.campaign == name]
            for place, found in installs.items()
        }
        alone = entries(fold_records(plan, log, (), own)[1].scores)
        assert alone == {key: entry for key, entry in together.items() if key[1] == name}


def entries(scores: Sequence[bytes]) -> dict[tuple[Scored, str], str]:
    """What was said of each campaign; `features` is a digest of the columns' order."""
    found = {}
    for score in scores:
        for entry in json.loads(score.partition(b" ")[2])["scores"]:
            entry["model"].pop("features")
            found[scored_by(score), entry["campaign"]] = json.dumps(entry)
    return found


@given(st.data(), quiet(campaign_files(timers=True)), records(), st.sampled_from(LIMITS))
def test_nothing_newer_is_known(
    data: st.DataObject, file: CampaignFile, log: Records, limits: Limits
) -> None:
    """What comes later in the log changes no score, no feature and no row that left before."""
    plan = compile_plan(file, limits)
    installs = data.draw(models(plan, len(log)))
    known = data.draw(st.integers(1, len(log)))
    later = records_of(data.draw(logs(lengths=(12,), customers=CUSTOMERS)), first=1000 + known)
    other = Records(
        log.partition,
        [*log.offsets[:known], *later.offsets],
        [*log.timestamps_ms[:known], *later.timestamps_ms],
        [*log.keys[:known], *later.keys],
        [*log.values[:known], *later.values],
        [*log.headers[:known], *later.headers],
    )
    installs = {place: found for place, found in installs.items() if place < known}
    end = 1000 + known
    outs = [fold_records(plan, found, (), installs)[1] for found in (log, other)]
    scores = [[s for s in out.scores if offset_of_score(s) < end] for out in outs]
    assert scores[0] == scores[1]
    rows = [[decode_example(row) for row in out.rows] for out in outs]
    closed = [[row for row in found if row.closed_by.offset < end] for found in rows]
    assert closed[0] == closed[1]
    seen = [
        {(row.campaign, source_of(row)): as_scored(row)
         for row in found if row.source.offset < end}
        for found in rows
    ]  # fmt: skip
    for key in seen[0].keys() & seen[1].keys():
        assert seen[0][key] == seen[1][key]


def offset_of_score(score: bytes) -> int:
    """Where the scored event stands."""
    offset = json.loads(score.partition(b" ")[2])["source"]["offset"]
    assert isinstance(offset, int)
    return offset


def scored_by(score: bytes) -> Scored:
    """What a score is of: several timers may share an offset."""
    found = json.loads(score.partition(b" ")[2])
    customer = customer_hash(HASH_KEY, found["customer_id"])
    return found["source"]["offset"], customer, found["as_of"]


def source_of(row: TrainingExample) -> Scored:
    """What a row is of."""
    return row.source.offset, row.customer, row.as_of


def as_scored(row: TrainingExample) -> tuple[object, ...]:
    """What a row says of the moment at which it was scored."""
    return (row.features, row.probability, row.expected_value, row.experts, row.model, row.status)


@given(st.data(), campaign_files(timers=True), records(), st.sampled_from(LIMITS))
def test_each_example_leaves_once_and_in_order(
    data: st.DataObject, file: CampaignFile, log: Records, limits: Limits
) -> None:
    """A scored event has at most one row per campaign, and what closed the rows only grows."""
    plan = compile_plan(file, limits)
    cuts = data.draw(st.lists(st.integers(0, len(log))))
    scorer, out = fold_records(plan, log, cuts)
    rows = [decode_example(row) for row in out.rows]
    sources = [(row.campaign, source_of(row)) for row in rows]
    assert len(set(sources)) == len(sources)
    closings = [(row.closed_by.offset, row.closed_by.index) for row in rows]
    assert all(one < other for one, other in pairwise(closings))
    assert all(index < limits.closes_per_event_max for _, index in closings)
    assert all(
        row.source.offset < row.closed_by.offset + (row.event_id is None) for row in rows
    )  # What a timer opened may close by the event that let it fire.
    counts = scorer.counts
    assert counts.opened == len(rows) + counts.open_examples + counts.withdrawn
    assert counts.open_examples <= limits.open_examples_max
    told = {key for key, value in zip(log.keys, log.values, strict=True) if b'"$' in (value or b"")}
    assert counts.profiles <= limits.profiles_max + limits.open_examples_max + len(told)


@given(st.data(), campaign_files(timers=True), records())
def test_reasons_sum_to_the_score(data: st.DataObject, file: CampaignFile, log: Records) -> None:
    """Baseline, reasons and the remainder are together the logit, or the expected value."""
    plan = compile_plan(file)
    _, out = fold_records(plan, log, (), data.draw(models(plan, len(log))))
    for score in out.scores:
        for entry in json.loads(score.partition(b" ")[2])["scores"]:
            total = entry["baseline"] + entry["other_reasons"]
            total += math.fsum(reason["contribution"] for reason in entry["reasons"])
            if entry["probability"] is None:
                assert math.isclose(total, entry["expected_value"], rel_tol=1e-9, abs_tol=1e-9)
            elif abs(total) < 10.0:  # Beyond, the probability no longer says its logit to 1e-9.
                served = entry["probability"]
                assert abs(total - math.log(served / (1.0 - served))) < 1e-9
            else:
                assert math.isclose(1.0 / (1.0 + math.exp(-total)), entry["probability"])
            sizes = [abs(reason["contribution"]) for reason in entry["reasons"]]
            assert sizes == sorted(sizes, reverse=True)


@given(st.data(), campaign_files(timers=True), records())
def test_a_score_is_the_sum_that_its_model_says(
    data: st.DataObject, file: CampaignFile, log: Records
) -> None:
    """Rows hold the model's own prediction: weights by name times the row's features."""
    plan = compile_plan(file)
    found = data.draw(models(plan, 1))
    _, out = fold_records(plan, log, (), found)
    by_name = {model.campaign: model for model in found[0]}
    for row in map(decode_example, out.rows):
        model = by_name[row.campaign]
        hinges = plan.layout.campaigns[plan.campaigns.index(row.campaign)].hinges
        wanted = linear_sum(model, row.features, [hinge.name for hinge in hinges])
        if isinstance(model.value, ValueWeights):
            own = msgspec.structs.replace(model, bias=model.value.bias, weights=model.value.weights)
            logarithm = linear_sum(own, row.features, [hinge.name for hinge in hinges])
            amount = max(0.0, math.exp(logarithm) * model.value.factor - 1.0)
            predicted = probability(wanted) * amount
        elif file.campaigns[row.campaign].predict == "value":
            predicted = wanted
        else:
            predicted = probability(wanted)
        served = row.expected_value if row.probability is None else row.probability
        assert served is not None
        if model.status == "warming":
            assert served == model.rate
        else:
            assert math.isclose(served, predicted, rel_tol=1e-9, abs_tol=1e-9)


@given(st.data(), campaign_files(timers=True), records())
def test_each_expert_says_its_own_sum(
    data: st.DataObject, file: CampaignFile, log: Records
) -> None:
    """Rows of a mixture hold what each expert's own weights say, and its scores say the same.

    Nothing where the rate was served, or where nobody was served anything.
    """
    plan = compile_plan(file)
    found, catching_up = data.draw(models(plan, 1)), data.draw(st.booleans())
    _, out = fold_records(plan, log, (), found, catching_up=catching_up)
    by_name = {model.campaign: model for model in found[0]}
    said = {
        (entry["campaign"], scored_by(score)): entry.get("experts", {})
        for score in out.scores
        for entry in json.loads(score.partition(b" ")[2])["scores"]
    }
    for row in map(decode_example, out.rows):
        model = by_name[row.campaign]
        assert row.experts == said[row.campaign, source_of(row)]
        if row.status in {"warming", "catching_up"}:
            assert row.experts == {}
            continue
        assert tuple(row.experts) == file.campaigns[row.campaign].experts
        hinges = plan.layout.campaigns[plan.campaigns.index(row.campaign)].hinges
        for name, found_probability in row.experts.items():
            own = model.experts[name]
            alone = msgspec.structs.replace(model, bias=own.bias, weights=own.weights)
            wanted = linear_sum(alone, row.features, [hinge.name for hinge in hinges])
            assert abs(found_probability - probability(wanted)) < 1e-9


def probability(logit: float) -> float:
    """The logistic function."""
    return 1.0 / (1.0 + math.exp(-max(-35.0, min(35.0, logit))))


def linear_sum(model: ModelRecord, features: dict[str, float], hinges: Sequence[str]) -> float:
    """A model's sum over a row; hinges are those of the row's features."""
    values = dict(features)
    for name in hinges:
        column, _, knot = name.rpartition(" >")
        values[name] = max(0.0, features.get(column, 0.0) - float(knot))
    terms = zip(model.columns, model.weights, strict=True)
    return model.bias + math.fsum(weight * values.get(name, 0.0) for name, weight in terms)
