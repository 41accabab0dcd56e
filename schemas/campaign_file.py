"""The campaign file: read, checked as a whole, or refused with every mistake named.

Owns: the sections of the file and the rules between their keys.
Never: opens anything but the file it is given.
Source: the contract, "Campaign file".
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import cast

from schemas import campaign_grammar as grammar
from schemas.campaign import (
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
from schemas.campaign_reader import join, misspelt
from schemas.campaign_rules import check_counts, check_ignored, timer_of
from schemas.clauses import VALUE, Clause, Condition, Goal
from schemas.customer_clause_reader import CustomerClauseReader
from schemas.errors import CampaignFileError, Problem
from schemas.input_mapping import FORMATS, InputMapping
from schemas.publish_reader import read_contact_limit, read_publish
from schemas.time_zones import UTC, is_time_zone
from schemas.trigger_policy import Measure, TriggerPolicy
from schemas.trigger_reader import read_trigger
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
_OPTIONAL = ("event_id", "value", "properties")
"""Fields of an event that there may be none of, at any path: null."""


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


class _FileReader(CustomerClauseReader):
    """The sections of the file."""

    def file_of(self, root: Located) -> CampaignFile:
        section = self.section(root, "", "file")
        version = section.get("version")
        if version is None:
            self.wrong(root, "version", "version: 1", found="nothing")
        elif version.scalar != 1 or isinstance(version.scalar, bool):
            self.wrong(version, "version", "1")
        zone = self._time_zone(section["time_zone"]) if "time_zone" in section else UTC
        mapping = self._input(section["input"]) if "input" in section else None
        events = self._events(section["events"]) if "events" in section else Events()
        campaigns: dict[str, Campaign] = {}
        if "campaigns" not in section:
            self.wrong(root, "campaigns", "at least one campaign", found="nothing")
        else:
            campaigns = self._campaigns(section["campaigns"])
        zoned = {name: replace(each, time_zone=zone) for name, each in campaigns.items()}
        limit = read_contact_limit(self, section, campaigns)
        file = CampaignFile(1, zoned, mapping, events, limit)
        check_counts(self, section.get("campaigns", root), file)
        check_ignored(self, section, file)
        return file

    def _time_zone(self, node: Located) -> str:
        if isinstance(node.scalar, str) and is_time_zone(node.scalar):
            return node.scalar
        self.wrong(node, "time_zone", "the name of a time zone, such as Europe/Berlin")
        return UTC

    def _input(self, node: Located) -> InputMapping:
        section = self.section(node, "input", "input")
        mapping = InputMapping()
        if "format" in section:
            words = list(FORMATS)
            mapping = FORMATS[self.word(section.pop("format"), "input.format", words, words[0])]
        paths: dict[str, str | None] = {}
        for word, child in section.items():
            text = child.scalar
            if isinstance(text, str) and 1 <= len(text) <= _PATH_CHARACTERS_MAX:
                paths[word] = text
            elif word in _OPTIONAL and child.plain() is None:
                paths[word] = None
            else:
                self.wrong(child, f"input.{word}", "a field's path such as properties.revenue")
        return InputMapping(
            customer_id=paths.get("customer_id") or mapping.customer_id,
            type=paths.get("type") or mapping.type,
            occurred_at=paths.get("occurred_at") or mapping.occurred_at,
            event_id=paths.get("event_id", mapping.event_id),
            value=paths.get("value", mapping.value),
            properties=paths.get("properties", mapping.properties),
        )

    def _events(self, node: Located) -> Events:
        section = self.section(node, "events", "events")
        count: tuple[str, ...] = ()
        remember: tuple[str, ...] = ()
        if "count" in section:
            count = self.event_types(section["count"], "events.count")
        if "remember" in section:
            remember = self.property_names(section["remember"], "events.remember")
        ignore: tuple[str, ...] = ()
        if "ignore" in section:
            ignore = self.event_types(section["ignore"], "events.ignore")
        return Events(count, remember, ignore)

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

        eligible = self.customer_clauses(*at("for")) if "for" in section else ()
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
        trigger = self._trigger(section, key, learner, horizon_ms)
        every_ms, idle_max_ms = timer_of(self, section, key, goal)
        publish_change = read_publish(self, section, key)
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
            trigger=trigger,
            eligible=eligible,
            score_every_ms=every_ms,
            idle_max_ms=idle_max_ms,
            publish_change=publish_change,
        )

    def _refuse_missing(self, section: dict[str, Located], node: Located, key: str) -> None:
        needed = ["goal", "horizon", *([] if "score_every" in section else ["score_on"])]
        for word in needed:
            if word not in section and node.mapping is not None and not misspelt(node, word):
                allowed = f"a campaign with its `{word}`"
                if word == "score_on" and not misspelt(node, "score_every"):
                    allowed += ", or `score_every`"
                self.wrong(node, join(key, word), allowed, found="nothing")

    def _goal(self, node: Located, key: str) -> Goal | None:
        section = self.section(node, key, "goal")
        if node.mapping is None:
            return None

        def at(word: str) -> tuple[Located, str]:
            return section[word], join(key, word)

        clauses: tuple[Clause, ...] = ()
        lists = [word for word in ("any_of", "none_of") if word in section]
        if lists:
            for word in ("event", "where", *lists[1:]):
                if word in section:
                    self.wrong(*at(word), f"either `{lists[0]}` or `{word}`, not both")
            clauses = self.clauses(*at(lists[0]))
        elif "event" in section:
            event = self.event_type(*at("event"))
            where = self.where(*at("where")) if "where" in section else {}
            clauses = () if event is None else (Clause(event, where),)
        elif not misspelt(node, "event"):
            self.wrong(node, key, "a goal with `event`, `any_of` or `none_of`")
        lost = self.clause(*at("lost")) if "lost" in section else None
        until = self.property_name(*at("until")) if "until" in section else None
        return Goal(
            clauses=clauses,
            match=self.property_names(*at("match")) if "match" in section else (),
            after_ms=(self.duration_ms(*at("after")) or 0) if "after" in section else 0,
            not_same=self.property_names(*at("not_same")) if "not_same" in section else (),
            lost=lost,
            until=until,
            absence="none_of" in lists,
        )

    def _check_goal(
        self, goal: Goal, horizon_ms: int, predict: Predict, node: Located, key: str
    ) -> None:
        keys = node.mapping or {}
        if goal.after_ms >= horizon_ms:
            self.wrong(keys["after"], join(key, "after"), "less than the horizon")
        if goal.absence and predict == "value":
            allowed = "no `none_of` with predict: value (what does not happen has no value)"
            self.wrong(keys["none_of"], join(key, "none_of"), allowed)
        if goal.absence and goal.lost is not None:
            allowed = "no `lost` beside `none_of`: any event of it is the other answer"
            self.wrong(keys["lost"], join(key, "lost"), allowed)
        elif goal.lost is not None:
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

    def _trigger(
        self, section: dict[str, Located], key: str, learner: LearnerName, horizon_ms: int | None
    ) -> TriggerPolicy | None:
        if "trigger" not in section:
            return None
        measures: tuple[Measure, ...] = ("percentile", "probability")
        if learner in grammar.LEARNERS_OF_VALUES:
            measures = ("percentile", "probability", "expected_value")
        if learner == "bayesian_linear":
            measures = ("percentile", "expected_value")
        return read_trigger(
            self, section["trigger"], join(key, "trigger"), measures=measures,
            horizon_ms=horizon_ms or 0,
        )  # fmt: skip

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
