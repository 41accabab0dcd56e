"""What happens before the first record: the plan, and compiled code.

Owns: saying what takes so long at the very first start.
Never: folds anything that counts.
Source: numba compiles a function at its first call and keeps the result on disk.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np

from consumer.encoding import ScoreEncoder
from consumer.errors import WorldError
from consumer.logs import say
from models.compiled import cache_folder, is_cached
from models.intake import Intake
from models.kernel_grid import CONTRIBUTION_PLACES, on_grid
from models.kernel_queues import free_closed, rebuild_table
from models.kernel_slots import fill_slot_table
from models.learner import make_challenger
from models.plan import Limits, Plan, compile_plan
from models.rows import Rows, RowWriter
from models.scorer import Scorer
from models.state import new_examples, new_profiles, new_queues, new_registers, reserve_examples
from models.trainer import Trainer
from models.wire import hash_text
from schemas.campaign import CHAMPION, CampaignFile
from schemas.control import FORGET, encode_control
from schemas.example import ClosedBy, ExampleSource, TrainingExample, encode_example
from schemas.model_file import ModelFile, ModelFileError, read_model_file
from schemas.score import ModelRef
from schemas.settings import Settings
from schemas.times import DAY_MS, TIME_MIN_MS, format_time

_FIRST_DAY = TIME_MIN_MS // DAY_MS


def limits_of(settings: Settings) -> Limits:
    """The bounds of a fold, as the settings have them."""
    return Limits(
        profiles_max=settings.limits.profiles_max,
        open_examples_max=settings.limits.open_examples_max,
        seen_ids_max=settings.limits.seen_ids_max,
        closes_per_event_max=settings.limits.closes_per_event_max,
        timers_per_event_max=settings.limits.timers_per_event_max,
        value_max=settings.limits.value_max,
        lateness_ms=settings.times.lateness_ms,
        future_max_ms=settings.times.future_max_ms,
        record_bytes_max=settings.limits.record_bytes_max,
        keys_strict=settings.keys == "strict",
    )


def plan_of(campaigns: CampaignFile, settings: Settings) -> Plan:
    """Compile the campaign file under the limits of the settings, and read its model files.

    Raises
    ------
    WorldError: a model trained elsewhere is not there, is another one, or cannot be asked.
    """
    plan = compile_plan(campaigns, limits_of(settings))
    return replace(plan, model_files=_model_files(campaigns, settings.campaigns.parent))


def _model_files(campaigns: CampaignFile, folder: Path) -> dict[str, ModelFile]:
    """The models that challengers name, by path; paths are beside the campaign file."""
    found: dict[str, ModelFile] = {}
    for campaign in campaigns.campaigns.values():
        for challenger in campaign.challengers:
            if challenger.path:
                try:
                    file = read_model_file(folder / challenger.path, challenger.sha256)
                    make_challenger(challenger.kind, campaign.rate, model_file=file)
                except ModelFileError as error:
                    raise WorldError(
                        f"{error.file}: found {error.found}, expected {error.expected}",
                        error.remedy,
                    ) from error
                found[challenger.path] = file
    return found


def compile_kernels(plan: Plan) -> None:
    """Compile what the loop needs, or load it; says so where it takes long."""
    if is_cached():
        _compile_scoring(plan)
    else:
        say("compiling", folder=str(cache_folder()))
        beside = _begin_beside(_compile_learning, plan)
        _compile_scoring(plan)
        beside.join()
    _compile_learning(plan)


def _begin_beside(compiling: Callable[[Plan], None], plan: Plan) -> BaseProcess:
    """Compile on another core, in a process that leaves its code on disk; Ctrl-C is not for it."""
    process = get_context("spawn").Process(target=compiling, args=(plan,), daemon=True)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return process


def _compile_scoring(plan: Plan) -> None:
    scorer = Scorer(plan)
    ScoreEncoder(plan, "", 0).encode(scorer.fold([], [], [], []))
    scorer.portrait("")  # Of nobody: that compiles what a question needs.
    nobody = encode_control(plan.file.input, FORGET, "nobody", TIME_MIN_MS)
    scorer.fold([0], [-1], [b"nobody"], [nobody])
    _keep_nobody(plan)
    _write_nobody(plan)


def _compile_learning(plan: Plan) -> None:
    trainer = Trainer(plan)
    for index in range(len(plan.campaigns)):
        for day in (
            _FIRST_DAY,
            _FIRST_DAY + 1,
        ):  # The second day compiles what forgets, and what knows a name by then.
            trainer.fold_bytes([day], [encode_example(_row(plan, index, day))])


def _keep_nobody(plan: Plan) -> None:
    """Name a customer, serve a model and lay the tables of an empty fold anew."""
    hash_text("")
    on_grid(0.0, CONTRIBUTION_PLACES)
    queues, registers = new_queues(plan), new_registers()
    rebuild_table(queues, registers)
    fill_slot_table(new_profiles(plan).view, queues, registers)
    free_closed(queues, registers, 0)


def _write_nobody(plan: Plan) -> None:
    """Write an example that nobody left behind."""
    examples = new_examples(plan)
    reserve_examples(examples, new_queues(plan), new_registers(), 1)
    examples.view.campaign[:] = -1
    writer = RowWriter(plan, Intake(plan), 0, b"")
    writer.write(examples.view, np.zeros(1, np.int32), [""], [""], Rows())


def _row(plan: Plan, index: int, day: int) -> TrainingExample:
    """A row of nobody, for a learner that is thrown away."""
    at = format_time(day * DAY_MS)
    campaign = plan.file.campaigns[plan.campaigns[index]]
    value = campaign.predict == "value"
    return TrainingExample(
        campaign=plan.campaigns[index],
        lineage=plan.lineages[index],
        customer="0" * 16,
        event_id=None,
        as_of=at,
        closed_at=at,
        source=ExampleSource(0, day),
        closed_by=ClosedBy(day, 0),
        label=0.0,
        weight=1.0,
        acted="none",
        features={"tenure": 2.0},
        probability=None if value else 0.5,
        expected_value=0.5 if value else None,
        experts=dict.fromkeys(campaign.experts, 0.5),
        model=ModelRef(plan.lineages[index], CHAMPION, 0, plan.features[index]),
        status="ready",
    )
