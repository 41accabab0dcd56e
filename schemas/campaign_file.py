"""The campaign file: read, checked as a whole, or refused with every mistake named.

Owns: the sections of the file and the rules between their keys.
Never: opens anything but the file it is given.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

from schemas import campaign_grammar as grammar
from schemas.campaign import (
    DEFAULT_IDLE_MAX_MS,
    DEFAULT_RATE,
    Campaign,
    CampaignFile,
    Challenger,
    CountBy,
    Events,
    Features,
    LearnerName,
    Predict,
)
from schemas.campaign_reader import Reader, join, misspelt
from schemas.clauses import VALUE, Clause, Condition, Goal
from schemas.errors import CampaignFileError, Problem
from schemas.input_mapping import InputMapping
from schemas.yaml_source import Located, parse_yaml, read_yaml

__all__ = [
    "VALUE",
    "Campaign",
    "CampaignFile",
    "CampaignFileError",
    "Clause",
    "Condition",
    "CountBy",
    "Events",
    "Features",
    "Goal",
    "InputMapping",
    "LearnerName",
    "Predict",
    "Problem",
    "load_campaigns",
    "parse_campaigns",
]

_NAME = re.compile(rf"[a-z0-9][a-z0-9-]{{0,{grammar.NAME_CHARACTERS_MAX - 1}}}", re.ASCII)
_PATH_CHARACTERS_MAX = 256


def load_campaigns(path: Path) -> CampaignFile:
    """The campaigns of a file.

    Raises
    ------
    CampaignFileError: with all problems of the file.
    """
    return _checked(str(path), *read_yaml(path))


def parse_campaigns(text: str, file: str = "campaigns.yaml") -> CampaignFile:
    """As `load_campaigns`, of text."""
    return _checked(file, *parse_yaml(text, file))


def _checked(file: str, root: Located, problems: list[Problem]) -> CampaignFile:
    if problems and not root.mapping:
        raise CampaignFileError(problems)
    reader = _FileReader(file, problems)
    campaigns = reader.file_of(root)
    if reader.problems:
        raise CampaignFileError(sorted(reader.problems, key=lambda p: (p.line or 0, p.key)))
    return campaigns


class _FileReader(Reader):
    """The sections of the file."""

    def file_of(self, root: Located) -> CampaignFile:
        section = self.section(root, "", "file")
        version = section.get("version")
        if version is None:
            self.wrong(root, "version", "version: 1", found="nothing")
        elif version.scalar != 1 or isinstance(version.scalar, bool):
            self.wrong(version, "version", "1")
        mapping = self._input(section["input"]) if "input" in section else None
        events = self._events(section["events"]) if "events" in section else Events()
        campaigns: dict[str, Campaign] = {}
        if "campaigns" not in section:
            self.wrong(root, "campaigns", "at least one campaign", found="nothing")
        else:
            campaigns = self._campaigns(section["campaigns"])
        file = CampaignFile(1, campaigns, mapping, events)
        self._check_counts(section.get("campaigns", root), file)
        return file

    def _input(self, node: Located) -> InputMapping:
        paths: dict[str, str | None] = {}
        for word, child in self.section(node, "input", "input").items():
            text = child.scalar
            if isinstance(text, str) and 1 <= len(text) <= _PATH_CHARACTERS_MAX:
                paths[word] = text
            else:
                self.wrong(child, f"input.{word}", "a field's path such as properties.revenue")
        return InputMapping(
            customer_id=paths.get("customer_id") or "customer_id",
            type=paths.get("type") or "type",
            occurred_at=paths.get("occurred_at") or "occurred_at",
            event_id=paths.get("event_id", "event_id"),
            value=paths.get("value", "value"),
            properties=paths.get("properties", "properties"),
        )

    def _events(self, node: Located) -> Events:
        section = self.section(node, "events", "events")
        count: tuple[str, ...] = ()
        remember: tuple[str, ...] = ()
        if "count" in section:
            count = self.event_types(section["count"], "events.count")
        if "remember" in section:
            remember = self.property_names(section["remember"], "events.remember")
        return Events(count, remember)

    def _campaigns(self, node: Located) -> dict[str, Campaign]:
        entries = self.entries(node, "campaigns", "campaigns by name")
        if node.mapping is not None and not 1 <= len(entries) <= grammar.CAMPAIGNS_MAX:
            allowed = f"1 to {grammar.CAMPAIGNS_MAX} campaigns"
            self.wrong(node, "campaigns", allowed, found=f"{len(entries)}")
        campaigns: dict[str, Campaign] = {}
        for name, child in entries.items():
            key = join("campaigns", name)
            if not _NAME.fullmatch(name):
                allowed = (
                    f"a name of 1 to {grammar.NAME_CHARACTERS_MAX} of a-z, 0-9 and `-`, "
                    "beginning with a letter or digit"
                )
                self.wrong(child, key, allowed, found=f"`{name}`")
            campaign = self._campaign(name, child, key)
            if campaign is not None:
                campaigns[name] = campaign
        return campaigns

    def _campaign(self, name: str, node: Located, key: str) -> Campaign | None:
        known_problems = len(self.problems)
        section = self.section(node, key, "campaign")
        self._refuse_missing(section, node, key)

        def at(word: str) -> tuple[Located, str]:
            return section[word], join(key, word)

        goal = self._goal(*at("goal")) if "goal" in section else None
        horizon_ms = (
            self.duration_ms(*at("horizon"), min_ms=1_000) if "horizon" in section else None
        )
        score_on = self.clauses(*at("score_on")) if "score_on" in section else ()
        learn_on = self.clauses(*at("learn_on")) if "learn_on" in section else None
        rate = self.rate(*at("rate")) if "rate" in section else DEFAULT_RATE
        predict = self._predict(*at("predict")) if "predict" in section else "conversion"
        features = self._features(*at("features")) if "features" in section else Features()
        learner = self._learner(section, key, predict)
        challengers = self._challengers(section, key, predict, learner)
        promote = self._promote(section, key)
        every_ms, idle_max_ms = self._timer(section, key, goal)
        interval_ms = horizon_ms
        if "example_interval" in section:
            interval_ms = self.duration_ms(*at("example_interval"))
        if goal is not None and horizon_ms is not None:
            self._check_goal(goal, horizon_ms, predict, section["goal"], join(key, "goal"))
        if None not in (interval_ms, horizon_ms) and (interval_ms or 0) > (horizon_ms or 0):
            self.wrong(*at("example_interval"), "at most the horizon")
        if len(self.problems) > known_problems:
            return None
        assert goal is not None
        assert horizon_ms is not None
        assert interval_ms is not None
        assert rate is not None
        return Campaign(
            name=name,
            goal=goal,
            horizon_ms=horizon_ms,
            score_on=score_on,
            example_interval_ms=interval_ms,
            rate=rate,
            predict=predict,
            learn_on=learn_on,
            features=features,
            learner=learner,
            challengers=challengers,
            promote=promote,
            score_every_ms=every_ms,
            idle_max_ms=idle_max_ms,
        )

    def _refuse_missing(self, section: dict[str, Located], node: Located, key: str) -> None:
        needed = ["goal", "horizon", *([] if "score_every" in section else ["score_on"])]
        for word in needed:
            if word not in section and node.mapping is not None and not misspelt(node, word):
                allowed = f"a campaign with its `{word}`"
                if word == "score_on" and not misspelt(node, "score_every"):
                    allowed += ", or `score_every`"
                self.wrong(node, join(key, word), allowed, found="nothing")

    def _timer(self, section: dict[str, Located], key: str, goal: Goal | None) -> tuple[int, int]:
        """How often customers are scored on a timer (0: not), and until when after an event."""
        read = {"score_every": 0, "idle_max": DEFAULT_IDLE_MAX_MS}
        for word in [word for word in read if word in section]:
            least_ms = grammar.SCORE_EVERY_MIN_MS
            found = self.duration_ms(section[word], join(key, word), min_ms=least_ms)
            read[word] = found or read[word]
        if "score_every" not in section:
            if "idle_max" in section:
                allowed = "`idle_max` only beside `score_every`"
                self.wrong(section["idle_max"], join(key, "idle_max"), allowed)
        elif goal is not None and goal.match:
            allowed = "no `score_every` where the goal has a `match`: a timer has no properties"
            self.wrong(section["score_every"], join(key, "score_every"), allowed)
        return read["score_every"], read["idle_max"]

    def _goal(self, node: Located, key: str) -> Goal | None:
        section = self.section(node, key, "goal")
        if node.mapping is None:
            return None

        def at(word: str) -> tuple[Located, str]:
            return section[word], join(key, word)

        clauses: tuple[Clause, ...] = ()
        if "any_of" in section:
            for word in ("event", "where"):
                if word in section:
                    self.wrong(*at(word), "either `any_of` or `event`, not both")
            clauses = self.clauses(*at("any_of"))
        elif "event" in section:
            event = self.event_type(*at("event"))
            where = self.where(*at("where")) if "where" in section else {}
            clauses = () if event is None else (Clause(event, where),)
        elif "none_of" not in node.mapping and not misspelt(node, "event"):
            self.wrong(node, key, "a goal with `event` or `any_of`")
        lost = self.clause(*at("lost")) if "lost" in section else None
        until = self.property_name(*at("until")) if "until" in section else None
        return Goal(
            clauses=clauses,
            match=self.property_names(*at("match")) if "match" in section else (),
            after_ms=(self.duration_ms(*at("after")) or 0) if "after" in section else 0,
            not_same=self.property_names(*at("not_same")) if "not_same" in section else (),
            lost=lost,
            until=until,
        )

    def _check_goal(
        self, goal: Goal, horizon_ms: int, predict: Predict, node: Located, key: str
    ) -> None:
        keys = node.mapping or {}
        if goal.after_ms >= horizon_ms:
            self.wrong(keys["after"], join(key, "after"), "less than the horizon")
        if goal.lost is not None:
            if predict == "value":
                allowed = "no `lost` with predict: value (a value has no other answer)"
                self.wrong(keys["lost"], join(key, "lost"), allowed)
            if goal.lost in goal.clauses:
                allowed = "another event than the goal itself"
                self.wrong(keys["lost"], join(key, "lost"), allowed)
        for name in set(goal.match) & set(goal.not_same):
            found = f"`{name}` in `match` too"
            allowed = "a property that is either the same or not"
            self.wrong(keys["not_same"], join(key, "not_same"), allowed, found=found)

    def _predict(self, node: Located, key: str) -> Predict:
        word = self.word(node, key, grammar.PREDICTS, "conversion")
        return "value" if word == "value" else "conversion"

    def _learner(self, section: dict[str, Located], key: str, predict: Predict) -> LearnerName:
        if "learner" not in section:
            return "hurdle" if predict == "value" else "hedged_logistic"
        node, path = section["learner"], join(key, "learner")
        if predict == "value":
            words = grammar.LEARNERS_OF_VALUES
            if node.scalar not in words:
                allowed = f"{' or '.join(words)} (or no `learner`) with predict: value"
                self.wrong(node, path, allowed, words=words)
                return "hurdle"
            return cast("LearnerName", node.scalar)
        word = self.word(node, path, grammar.LEARNERS, "hedged_logistic")
        return cast("LearnerName", word)

    def _challengers(
        self, section: dict[str, Located], key: str, predict: Predict, learner: LearnerName
    ) -> tuple[Challenger, ...]:
        if "challengers" not in section:
            return ()
        node, path = section["challengers"], join(key, "challengers")
        if predict == "value":
            self.wrong(node, path, "no `challengers` with predict: value")
            return ()
        read = self.sequence(
            node, path, self.challenger, what="learners", count_max=grammar.CHALLENGERS_MAX
        )
        kinds = [challenger.kind for challenger in read]
        if learner in kinds:
            found = f"`{learner}`, which is the campaign's `learner`"
            self.wrong(node, path, "other learners than that, or `fresh`", found=found)
        if kinds.count("onnx") > 1:
            self.wrong(node, path, "one model trained elsewhere", found="several")
        return read

    def _promote(self, section: dict[str, Located], key: str) -> bool:
        if "promote" not in section:
            return True
        node, path = section["promote"], join(key, "promote")
        if "challengers" not in section:
            self.wrong(node, path, "`promote` only beside `challengers`")
        return self.flag(node, path)

    def _features(self, node: Located, key: str) -> Features:
        section = self.section(node, key, "features")
        defaults = Features()

        def at(word: str) -> tuple[Located, str]:
            return section[word], join(key, word)

        half_lives = defaults.half_lives_ms
        if "half_lives" in section:
            read = self.sequence(
                *at("half_lives"),
                self.half_life,
                what="durations or `all`",
                count_min=1,
                count_max=grammar.HALF_LIVES_MAX,
            )
            half_lives = tuple(half_life for (half_life,) in read)
        count_by: tuple[CountBy, ...] = ()
        if "count_by" in section:
            count_by = self.sequence(*at("count_by"), self.count_by, what="{event, by}")
        crosses: tuple[tuple[str, ...], ...] = ()
        if "crosses" in section:
            crosses = self.sequence(*at("crosses"), self.cross, what="lists of property names")
        return Features(
            half_lives_ms=half_lives,
            count_by=count_by,
            categories=self.property_names(*at("categories")) if "categories" in section else (),
            crosses=crosses,
            numbers=self.property_names(*at("numbers")) if "numbers" in section else (),
        )

    def _check_counts(self, node: Located, file: CampaignFile) -> None:
        clauses = {c.identity for campaign in file.campaigns.values() for c in campaign.clauses}
        timers = sum(campaign.is_timed for campaign in file.campaigns.values())
        bits = "distinct clauses and timers" if timers else "distinct clauses"
        for what, count, count_max in (
            (bits, len(clauses) + timers, grammar.CLAUSES_MAX),
            ("event types", len(file.event_types), grammar.EVENT_TYPES_MAX),
        ):
            if count > count_max:
                found = f"{count} {what} in all campaigns together"
                self.wrong(node, "campaigns", f"at most {count_max}", found=found)
