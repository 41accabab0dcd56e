"""`propensity check` and `propensity schema`: what they print and how they end.

Owns: their output and exit codes; the warnings.
Never: repeats the mistakes of tests/unit/test_campaign_file.py.
Source: the contract, "Commands".
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from consumer.cli import run
from schemas.campaign_file import parse_campaigns
from schemas.campaign_warnings import SeenEvents, warnings_of
from schemas.catalogue import RECORDS, json_schema
from tests.unit.test_campaign_file import FULL, SHORT, with_goal, with_keys


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A valid campaign file in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "campaigns.yaml"
    path.write_text(SHORT, encoding="utf-8")
    return path


def test_a_valid_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A valid file ends with 0 and names its campaigns."""
    assert run(["check", str(file)]) == 0
    out = capsys.readouterr().out
    assert "valid: 1 campaign\n" in out
    assert "  a: hedged_logistic, lineage " in out


def test_the_file_of_the_settings(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a FILE it is the one that settings or `--campaigns` name."""
    assert run(["check"]) == 0
    other = file.rename(file.with_name("other.yaml"))
    assert run(["check"]) == 2
    assert run(["--campaigns", str(other), "check"]) == 0
    assert "There is no file campaigns.yaml" in capsys.readouterr().err


def test_an_invalid_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid file ends with 1 and prints a line for every mistake."""
    file.write_text(SHORT.replace("horizon: 7d", "horizn: 7"), encoding="utf-8")
    assert run(["check", str(file)]) == 1
    assert capsys.readouterr().out.startswith(f"{file}:5: campaigns.a.horizn: found")


def test_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json` both results are one object for scripts."""
    assert run(["check", "--json", str(file)]) == 0
    valid = json.loads(capsys.readouterr().out)
    assert (valid["valid"], valid["problems"], list(valid["lineages"])) == (True, [], ["a"])
    file.write_text(SHORT.replace("7d", "7"), encoding="utf-8")
    assert run(["check", "--json", str(file)]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["line"], problem["key"]) == (5, "campaigns.a.horizon")


def test_wrong_settings_stop_it(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake in the settings is shown like one in the campaign file; nothing runs."""
    file.with_name("propensity.yaml").write_text("grup: x\n", encoding="utf-8")
    assert run(["check"]) == 2
    assert "propensity.yaml:1: grup: found" in capsys.readouterr().err


def test_events_never_seen(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a sample of events it warns of types and properties that are not in there."""
    events = file.with_name("events.ndjson")
    event = {"customer_id": "c", "type": "page_vew", "occurred_at": 1_764_000_000_000}
    events.write_text(json.dumps(event) + "\nnot json\n", encoding="utf-8")
    assert run(["check", str(file), "--events", str(events)]) == 0
    out = capsys.readouterr().out
    assert "no event of type `page_view` was seen; did you mean `page_vew`?" in out
    assert "no event of type `purchase` was seen" in out
    events.write_text("not json\n", encoding="utf-8")
    assert run(["check", str(file), "--events", str(events)]) == 0
    assert "no event of the sample could be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (SHORT.replace("page_view", "purchase"), "campaigns.a.score_on[0]", "answer of the goal"),
        (SHORT.replace("[page_view]", "[x, {event: x, where: {a: b}}]"),
         "campaigns.a.score_on[1]", "adds nothing"),
        (SHORT.replace("7d", "365d"), "campaigns.a.horizon", "before 365d are over"),
        (with_goal("{event: p, after: 5d}"), "campaigns.a.goal.after", "half of the horizon"),
        (SHORT + "events: {remember: [plan]}\n", "events.remember", "no campaign uses `plan`"),
        (SHORT + "events: {count: [page_view]}\n", "events.count", "counted anyway"),
    ],
)  # fmt: skip
def test_warnings(text: str, key: str, message: str) -> None:
    """What is allowed and will disappoint is said, with its key."""
    (warning,) = warnings_of(parse_campaigns(text))
    assert warning.key == key
    assert message in warning.message
    assert str(warning) == f"{warning.key}: {warning.message}"


TRIGGER = "when: {percentile: 95}, clear: {percentile: 85}, hold_out: 10%"


@pytest.mark.parametrize(
    ("section", "key", "message"),
    [
        ("when: {percentile: 95}, cooldown: 7d", "hold_out", "nobody is held out"),
        (f"{TRIGGER}, wait: 7d", "wait", "the score is of 7d"),
        (f"{TRIGGER}, expires_after: 8d", "expires_after", "a prediction that is over"),
        ("when: {percentile: 95}, hold_out: 10%", "clear", "again and again"),
        ("when: {probability: 2%}, cooldown: 1h, hold_out: 10%", "when", "about everybody enters"),
    ],
)
def test_warnings_of_triggers(section: str, key: str, message: str) -> None:
    """So is what a trigger will not do."""
    (warning,) = warnings_of(parse_campaigns(with_keys(f"trigger: {{{section}}}")))
    assert warning.key == f"campaigns.a.trigger.{key}"
    assert message in warning.message


def test_a_trigger_that_can_be_measured_is_no_disappointment() -> None:
    """Levels apart, somebody held out, and a wait within the horizon."""
    assert warnings_of(parse_campaigns(with_keys(f"trigger: {{{TRIGGER}, wait: 6d}}"))) == []


def test_no_warning_where_records_are_parted() -> None:
    """Scoring the goal's own type is fine where `not_same` or `after` part the records."""
    parted = with_goal("{event: purchase, not_same: [order_id]}").replace("page_view", "purchase")
    assert warnings_of(parse_campaigns(parted)) == []
    assert warnings_of(parse_campaigns(with_keys("features: {numbers: [value]}"))) == []


def test_properties_never_seen() -> None:
    """Each property that a clause, the goal or a feature needs is looked for where it is needed."""
    seen = SeenEvents()
    for event_type in ("purchase", "coupon_refused", "page_view", "cart_add", "email_sent"):
        seen.add(event_type, {"departmnt": "DELI", "coupon_id": "x", "order_id": None})
    seen.add("other", {"country": "DE"})
    messages = [str(warning) for warning in warnings_of(parse_campaigns(FULL), seen)]
    assert any("`purchase` with the property `department`" in m for m in messages)
    assert any("did you mean `departmnt`?" in m for m in messages)
    assert any("learned event with the property `order_id`" in m for m in messages)
    assert not any("`coupon_id`" in m or "`country`" in m for m in messages)


def test_what_for_asks_about_and_was_never_seen() -> None:
    """Events, their properties and last known values of `for` are looked for, too."""
    clauses = (
        "for: [{event: page_veiw, within: 1d}, {last: countri, is: DE}, "
        "{event: purchase, where: {kindd: DELI}, never: true}]"
    )
    seen = SeenEvents()
    seen.add("page_view", {"country": "DE"})
    seen.add("purchase", {"kind": "DELI"})
    messages = [str(warning) for warning in warnings_of(parse_campaigns(with_keys(clauses)), seen)]
    assert messages == [
        "campaigns.a: no event of type `page_veiw` was seen; did you mean `page_view`?",
        "campaigns.a: no `purchase` with the property `kindd` was seen; did you mean `kind`?",
        "campaigns.a: no event with the property `countri` was seen; did you mean `country`?",
    ]


TIMED = SHORT.replace("score_on: [page_view]", "score_every: 7d\n    rate: 10%")


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (TIMED.replace("7d", "30d", 1).replace("every: 7d", "every: 31d"),
         "campaigns.a.score_every", "no score asks about what happens in between"),
        (TIMED + "    idle_max: 6d\n", "campaigns.a.idle_max", "never scored by it"),
        (TIMED + "    learn_on: [page_view]\n", "campaigns.a.learn_on", "nor judged"),
        (with_goal("{none_of: [purchase]}"), "campaigns.a.rate", "say how many lapse"),
        (with_keys("for: [{event: page_view, never: true}]"), "campaigns.a.for[0]",
         "nobody is scored"),
    ],
)  # fmt: skip
def test_warnings_of_timers_absences_and_nobody(text: str, key: str, message: str) -> None:
    """What a file alone shows to be in vain is said, with its key."""
    (warning,) = warnings_of(parse_campaigns(text))
    assert warning.key == key
    assert message in warning.message


@pytest.mark.parametrize(
    "text",
    [
        TIMED,
        with_goal("{none_of: [purchase]}").replace("horizon", "rate: 20%\n    horizon"),
        with_keys("for: [{event: p, never: true}]").replace("[page_view]", "[p, page_view]"),
        with_keys("for: [{event: page_view, within: 1d}]"),
    ],
)  # fmt: skip
def test_no_warning_where_it_makes_sense(text: str) -> None:
    """The same words, used well, are left alone."""
    assert warnings_of(parse_campaigns(text)) == []


def test_absences_and_values_that_nobody_has() -> None:
    """A goal that never comes, a value that nobody has, and one that only questions carry."""
    clauses = "for: [{last: plan, is: [gold]}, {last: segment, is: [a]}]"
    text = with_keys(clauses).replace("{event: purchase}", "{none_of: [purchase]}")
    text = text.replace("horizon", "rate: 20%\n    horizon")
    seen = SeenEvents()
    seen.add("page_view", {"plan": "basic"})
    seen.add("asked", {"segment": "a"})
    file = parse_campaigns(text + "events: {ignore: [asked, askd]}\n")
    assert [str(warning) for warning in warnings_of(file, seen)] == [
        "events.ignore: no event of type `askd` was seen; did you mean `asked`?",
        "campaigns.a: no event of type `purchase` was seen",
        "campaigns.a.goal.none_of: nothing of this was seen: everybody would lapse",
        "campaigns.a: `plan` was never gold; seen were basic",
        "campaigns.a: `segment` was seen in ignored events only, and those are not remembered",
    ]


def test_what_is_learned_on_needs_the_features_too() -> None:
    """A question that carries a property which the event that is learned lacks."""
    text = with_keys("learn_on: [sent]\n    features: {categories: [kind]}")
    seen = SeenEvents()
    seen.add("page_view", {"kind": "a"})
    seen.add("sent", {"kin": "a"})
    seen.add("purchase", {})
    (warning,) = warnings_of(parse_campaigns(text), seen)
    assert str(warning) == (
        "campaigns.a: no learned event with the property `kind` was seen; did you mean `kin`?"
    )


def test_a_property_with_many_values_is_none_to_compare() -> None:
    """Of an identity or a number not all values are kept, and nothing is said of it."""
    seen = SeenEvents()
    for number in range(1_100):
        seen.add("page_view", {"plan": number})
    seen.add("purchase", {})
    file = parse_campaigns(with_keys("for: [{last: plan, is: [gold]}]"))
    assert warnings_of(file, seen) == []
    assert len(seen.values["plan"]) < 1_100


@pytest.mark.parametrize("name", list(RECORDS))
def test_schemas(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each record's schema is a valid JSON Schema, printed alone and among all."""
    assert run(["schema", name]) == 0
    schema = json.loads(capsys.readouterr().out)
    Draft202012Validator.check_schema(schema)
    assert schema == json_schema(name)
    assert schema["title"]
    assert schema["description"]
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)[name] == schema


def test_an_unknown_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown record could not be printed: the names that there are follow."""
    assert run(["schema", "evnt"]) == 2
    assert "training-example" in capsys.readouterr().err


def test_the_schema_of_an_event_judges_events() -> None:
    """The published schema takes what we take and refuses what we refuse in the envelope."""
    validator = Draft202012Validator(json_schema("event"))
    event = {"customer_id": "c", "type": "t", "occurred_at": "2026-11-23T10:15:30Z"}
    assert validator.is_valid(event)
    assert validator.is_valid({**event, "occurred_at": 1_764_000_000_000, "new_field": [1]})
    assert validator.is_valid({**event, "properties": {"a": {"nested": 1}}, "value": "12"})
    assert not validator.is_valid({**event, "customer_id": ""})
    assert not validator.is_valid({**event, "occurred_at": 1_764_000_000})
    assert not validator.is_valid({"customer_id": "c", "type": "t"})
