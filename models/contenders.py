"""The learners of one campaign that has challengers: who serves, and who contends for it.

Owns: that all learn the same rows, the contests, and when the rule changes who serves.
Never: the rule of a contest, or how a learner learns; wall time, I/O or randomness.
Source: docs/learners.md, "Champion and challengers"; models/contest.py has the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import msgspec

from models.campaign_learner import CampaignLearner
from models.column_learner import part_of
from models.contest import Contest, Look
from models.plan import Plan
from models.uplift import counted, is_unjudged
from schemas.campaign import CHAMPION, FRESH
from schemas.decision import DECISIONS_MAX, Contending, Decided, Decision
from schemas.example import TrainingExample
from schemas.learner_state import LearnerState, pack_array, unpack_array
from schemas.model_record import ExpertWeights, ModelRecord
from schemas.times import DAY_MS, format_time

MONTH_POSITIVES_MIN: Final = 100
"""No learner is demoted, or takes over for that, on fewer conversions within 28 days."""
SILENCE_REACHES_MS: Final = 28 * DAY_MS
"""So long are rows of a silence in the quality of 28 days: nobody is demoted for them."""
FRESH_POSITIVES_MAX: Final = 8_000
"""A challenger that began at an alarm has as many to show that it is better."""
OUTAGE_LOG10: Final = -6.0
"""A silence less likely than this, as predicted, spoils the figures of 28 days. Shorter ones, of a
few rows, are what a learner that predicts too much finds now and then."""
OUTCOMES: Final = ("undecided", "better")


class Contenders:
    """The champion of a campaign, its challengers, and who of them serves.

    All learn each row that the one that serves learns. A contest compares what two of them said
    of a row when it was scored; where one is not linear, and scorers cannot ask it, what both
    said just before they learned it.

    Parameters
    ----------
    champion: the learner that the campaign file names; it has learned nothing yet.
    """

    def __init__(self, plan: Plan, index: int, champion: CampaignLearner) -> None:
        self.campaign = champion.campaign
        self._plan, self._index = plan, index
        self.learners: dict[str, CampaignLearner] = {CHAMPION: champion}
        self.serving = CHAMPION
        self.contests: dict[str, Contest] = {}
        self.looks: dict[str, Look] = {}
        self.decisions: list[Decision] = []
        self.news: list[Decision] = []  # Decided since somebody took them out.
        self._alarms = 0
        self._silent_ms: int | None = None  # Event time of the last row of a silence.
        self.begun_anew: dict[str, str] = {}  # Whose state could not be read, and why.
        for name in self.campaign.learners:
            if name not in {CHAMPION, FRESH}:
                self._begin(name)

    @property
    def served(self) -> CampaignLearner:
        """The learner that serves."""
        return self.learners[self.serving]

    @property
    def covered(self) -> int:
        """The offset up to which all of them have learned."""
        return min(learner.covered for learner in self.learners.values())

    def _begin(self, name: str) -> None:
        """Begin a challenger at the present row: it hears of no row that was scored before."""
        versions = {each: learner.version for each, learner in self.learners.items()}
        champion = self.learners[CHAMPION]
        learner = CampaignLearner(self._plan, self._index, name)
        learner.covered, learner.closed_by = champion.covered, dict(champion.closed_by)
        learner.began_at_ms = None
        learner.began = versions
        self._enter(learner)
        self.contests[name] = self._new_contest()

    def _enter(self, learner: CampaignLearner) -> None:
        """Let a learner take part; they stand in the order of the campaign file.

        Arms are counted once, whoever serves.
        """
        learner.uplift = self.learners[CHAMPION].uplift
        known = self.learners | {learner.name: learner}
        self.learners = {name: known[name] for name in self.campaign.learners if name in known}

    def _new_contest(self) -> Contest:
        return Contest(self.campaign.horizon_ms, len(self.campaign.challengers))

    def take(self, offset: int, row: TrainingExample) -> str:
        """Let all learn a row of their lineage, and decide what follows; gives what became of it.

        Each learns a row once, whatever the others have learned.
        """
        if row.triggered:
            return self._count(offset, row)
        takers = [each for each in self.learners.values() if _takes(each, offset, row)]
        for learner in takers:
            if learner.began_at_ms is None:
                learner.began_at_ms = row.closed_at_ms
        learned = False
        for learner in sorted(takers, key=lambda each: each.name != self.serving):
            silent = None if learner is self.served else self.served.judgement.is_silent
            learned = learner.learn(row, silent=silent)
        if not takers:
            return "repeated"
        if self.served.judgement.is_silent:  # Who expects least would win by what was not heard.
            if self.served.judgement.silence_log10 < OUTAGE_LOG10:
                self._silent_ms = max(self._silent_ms or 0, row.closed_at_ms)
        else:
            self._compare(row, {each.name for each in takers})
            self._decide(offset, row)
        self._watch(offset, row)
        return "learned" if learned else "silent"

    def _count(self, offset: int, row: TrainingExample) -> str:
        """Count a row of an arm, once for all of them: none learns it."""
        for learner in self.learners.values():
            learner.covered = max(learner.covered, offset + 1)
        return counted(self.learners[CHAMPION].uplift, row)

    def _compare(self, row: TrainingExample, takers: set[str]) -> None:
        """Add the row to the contests of those who learned it."""
        for name, contest in self.contests.items():
            said = self._said(name, row) if name in takers else None
            if said is None:
                continue
            look = contest.add(
                row.closed_at_ms,
                int(row.customer, 16),
                converted=row.label > 0.0,
                weight=row.weight,
                champion=said[0],
                challenger=said[1],
            )
            if look is not None:
                self.looks[name] = look

    def _said(self, name: str, row: TrainingExample) -> tuple[float, float] | None:
        """What the one that serves and a challenger said of a row; None where one said nothing."""
        champion, challenger = self.served, self.learners[name]
        if challenger.is_linear:
            pair = champion.said_of(row), challenger.said_of(row)
        elif is_unjudged(row) or challenger.status == "warming":
            return None
        else:
            pair = champion.predicted, challenger.predicted
        return None if pair[0] is None or pair[1] is None else (pair[0], pair[1])

    def _decide(self, offset: int, row: TrainingExample) -> None:
        """Change who serves, where the rule says so at this row."""
        if self.campaign.promote:
            better = [name for name, look in self.looks.items() if look.outcome == "better"]
            better = [name for name in better if self._can_serve(name)]
            if better:
                best = max(better, key=lambda name: (self.looks[name].gain, name))
                self._change(best, "promoted", offset, row)
            elif self.is_unreliable(self.served) and not self._is_near_silence(row):
                sound = [name for name in self.learners if self._is_sound(name)]
                if sound:
                    best = min(sound, key=lambda name: (self._entropy(name), name))
                    self._change(best, "demoted", offset, row)

    def _is_near_silence(self, row: TrainingExample) -> bool:
        since = self._silent_ms
        return since is not None and row.closed_at_ms < since + SILENCE_REACHES_MS

    def _watch(self, offset: int, row: TrainingExample) -> None:
        """Begin a fresh challenger where the residuals of the one that serves have alarmed.

        There is one at most, and it goes when it has had conversions enough and is no better.
        """
        alarms = self.served.judgement.alarms.residuals
        wanted = FRESH in self.campaign.learners and FRESH not in self.learners
        if wanted and alarms > self._alarms:
            self._begin(FRESH)
            self._note("begun", FRESH, offset, row.closed_at_ms)
        self._alarms = alarms
        contest = self.contests.get(FRESH)
        if contest is not None and contest.positives >= FRESH_POSITIVES_MAX:
            look = self.looks.pop(FRESH, None)
            self._note("dropped", FRESH, offset, row.closed_at_ms, look)
            del self.learners[FRESH], self.contests[FRESH]

    def _can_serve(self, name: str) -> bool:
        return self.learners[name].is_linear and self.learners[name].status != "warming"

    @staticmethod
    def is_unreliable(learner: CampaignLearner) -> bool:
        """Whether enough conversions of 28 days say that it is worse than the average, or off."""
        return learner.status == "unreliable" and _enough(learner)

    def _is_sound(self, name: str) -> bool:
        learner = self.learners[name]
        return learner.is_linear and learner.status == "ready" and _enough(learner)

    def _entropy(self, name: str) -> float:
        found = self.learners[name].summary.get("normalised_entropy_28d")
        return 1.0 if found is None else found

    def _change(self, name: str, decided: Decided, offset: int, row: TrainingExample) -> None:
        """Let another one serve; the former goes on as its challenger, in contests of their own."""
        self._note(decided, name, offset, row.closed_at_ms, self.looks.get(name))
        self.serving = name
        self._alarms = self.served.judgement.alarms.residuals
        self.looks.clear()
        self.contests = {
            each: self._new_contest() for each in self.learners if each != self.serving
        }

    def _note(
        self,
        decided: Decided,
        name: str,
        offset: int,
        at_ms: int,
        look: Look | None = None,
        former: str = "",
    ) -> None:
        figures: dict[str, Any] = {}
        if look is not None:
            kept = ("rows", "positives", "gain", "error", "deviations")
            figures = {figure: getattr(look, figure) for figure in kept}
        at = format_time(at_ms)
        decision = Decision(decided, name, former or self.serving, at, offset, **figures)
        self.decisions = [*self.decisions, decision][-DECISIONS_MAX:]
        self.news.append(decision)

    def record(self) -> ModelRecord:
        """What scorers need to serve the one that serves, and to ask the others."""
        record = self.served.record()
        others = [each for each in self.learners.values() if each is not self.served]
        heard = [each for each in others if each.is_linear and each.status != "warming"]
        known = dict.fromkeys(record.columns)
        for each in heard:
            known |= dict.fromkeys(each.learner.columns)
        columns = list(known)
        room = [0.0] * (len(columns) - len(record.columns))
        experts = {
            name: ExpertWeights(own.bias, [*own.weights, *room], own.share)
            for name, own in record.experts.items()
        }
        for learner in heard:
            experts |= voices_of(learner, columns)
        return msgspec.structs.replace(
            record,
            columns=columns,
            weights=[*record.weights, *room],
            means=[*record.means, *room],
            experts=experts,
            decisions=self.decisions,
        )

    def states(self) -> list[LearnerState]:
        """The states of all of them, the champion's first."""
        contending = Contending(
            self.serving, [name for name in self.learners if name != CHAMPION], self.decisions
        )
        return [
            msgspec.structs.replace(
                self._with_contest(name, learner.state()),
                contending=contending if name == CHAMPION else None,
            )
            for name, learner in self.learners.items()
        ]

    def _with_contest(self, name: str, state: LearnerState) -> LearnerState:
        learner = self.learners[name]
        numbers = {f"began.{each}": float(version) for each, version in learner.began.items()}
        arrays = {}
        if name != CHAMPION and learner.began_at_ms is not None:
            numbers["began_at_ms"] = float(learner.began_at_ms)
        if name == CHAMPION and self._silent_ms is not None:
            numbers["contending.silent_ms"] = float(self._silent_ms)
        if name in self.contests:
            held, kept = self.contests[name].to_state()
            numbers |= {f"contest.{key}": number for key, number in held.items()}
            arrays = {f"contest.{key}": pack_array(array) for key, array in kept.items()}
        if name in self.looks:
            look = asdict(self.looks[name])
            look["outcome"] = OUTCOMES.index(look["outcome"])
            numbers |= {f"look.{key}": float(number) for key, number in look.items()}
        return msgspec.structs.replace(
            state, numbers=state.numbers | numbers, arrays=state.arrays | arrays
        )

    def restore(self, states: Mapping[str, LearnerState]) -> None:
        """Go on from the states of these learners; the champion has been restored from its own.

        A challenger that is new in the campaign file, or was added to it again, begins here, and so
        does one whose state is of another model or cannot be read. Where the one that served has
        left, the champion serves.

        Raises
        ------
            ValueError: the state of a contest is of a format that this program does not read.
        """
        contending = states[CHAMPION].contending or Contending(CHAMPION, [])
        allowed = set(self.campaign.learners)
        known = [name for name in contending.challengers if name in allowed and name in states]
        silent_ms = states[CHAMPION].numbers.get("contending.silent_ms")
        self._silent_ms = None if silent_ms is None else int(silent_ms)
        self.decisions = list(contending.decisions)
        self.learners = {CHAMPION: self.learners[CHAMPION]}
        for name in known:
            learner = CampaignLearner(self._plan, self._index, name)
            try:
                learner.restore(states[name])
            except ValueError as error:
                self.begun_anew[name] = str(error)
                continue
            began = part_of(states[name].numbers, "began")
            learner.began = {each: int(version) for each, version in began.items()}
            began_at_ms = states[name].numbers.get("began_at_ms")
            if began_at_ms is not None or not learner.version:
                learner.began_at_ms = None if began_at_ms is None else int(began_at_ms)
            self._enter(learner)
        for name in self.campaign.learners:
            if name not in self.learners and (name != FRESH or name in self.begun_anew):
                self._begin(name)
        known = [name for name in known if name not in self.begun_anew]
        stays = contending.serving in {CHAMPION, *known}
        self.serving = contending.serving if stays else CHAMPION
        self.contests = {
            name: self._new_contest() for name in self.learners if name != self.serving
        }
        for name in self.contests:
            if stays and name in {CHAMPION, *known}:
                self._restore_contest(name, states[name])
        if not stays:
            champion = self.learners[CHAMPION]
            at_ms = max(0, int(states[CHAMPION].numbers["day"])) * DAY_MS
            self._note("removed", CHAMPION, champion.covered, at_ms, former=contending.serving)
        self._alarms = self.served.judgement.alarms.residuals

    def _restore_contest(self, name: str, state: LearnerState) -> None:
        if "contest.format" not in state.numbers:
            return
        arrays = {key: unpack_array(packed) for key, packed in state.arrays.items()}
        self.contests[name].from_state(
            part_of(state.numbers, "contest"), part_of(arrays, "contest")
        )
        look = part_of(state.numbers, "look")
        if look:
            whole = {key: int(look[key]) for key in ("number", "rows", "positives")}
            self.looks[name] = Look(**look | whole | {"outcome": OUTCOMES[int(look["outcome"])]})


def _takes(learner: CampaignLearner, offset: int, row: TrainingExample) -> bool:
    """Whether a learner has not learned a row yet; if not, it has by then."""
    learner.predicted = None
    if offset < learner.covered:
        return False
    learner.covered = offset + 1
    return not learner.is_repeated(row.source.partition, row.closed_by.offset, row.closed_by.index)


def _enough(learner: CampaignLearner) -> bool:
    return (learner.summary.get("positives_28d") or 0.0) >= MONTH_POSITIVES_MIN


def voices_of(learner: CampaignLearner, columns: list[str]) -> dict[str, ExpertWeights]:
    """What scorers need to ask a learner, and its experts, in these columns; it has no share."""
    own = learner.learner
    asked = {learner.name: ExpertWeights(own.bias, own.weights.tolist()), **learner.experts()}
    found: dict[str, ExpertWeights] = {}
    for name, weights in asked.items():
        by_name = dict(zip(own.columns, weights.weights, strict=True))
        aligned = [by_name.get(column, 0.0) for column in columns]
        found[name] = ExpertWeights(weights.bias, aligned, 0.0)
    return found
