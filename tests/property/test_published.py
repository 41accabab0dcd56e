"""Which scores are published of any log, where campaigns publish changes only.

Owns: that the fold publishes what the rule says, and that nothing else depends on it.
Never: restores a fold; tests/property/test_folds_restore.py and test_triggers.py do.
Source: docs/campaigns.md, "Publishing changes only".
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.plan import compile_plan
from schemas.campaign import CampaignFile
from schemas.score import decode_score
from tests.event_logs import UNHURRIED, LoggedEvent, campaign_files, fold_records, logs, records_of
from tests.naive_controls import controlled
from tests.naive_folds import NaiveFold
from tests.property.test_triggers import frequent
from tests.quiet_files import busy, busy_logs, loud, published_of, quiet

FILES = quiet(campaign_files(campaigns_max=2))
LOGS = controlled(st.one_of(logs(lengths=(12, 40)), busy_logs()))


@given(st.data(), st.one_of(FILES, busy(FILES)), LOGS)
def test_what_is_published_is_what_the_rule_says(
    data: st.DataObject, file: CampaignFile, events: list[LoggedEvent]
) -> None:
    """Of all scores these entries, in their order; rows and triggers are as with every score.

    The cut into batches is drawn.
    """
    plan, every = compile_plan(file, UNHURRIED), compile_plan(loud(file), UNHURRIED)
    installs = frequent(data, plan, len(events))
    cuts = data.draw(st.lists(st.integers(0, len(events))))
    _, out = fold_records(plan, records_of(events), cuts, installs)
    _, whole = fold_records(every, records_of(events), (), installs)
    scores = [decode_score(score.partition(b" ")[2]) for score in whole.scores]
    expected = published_of(file, NaiveFold(file, events, UNHURRIED), scores)
    assert [decode_score(score.partition(b" ")[2]) for score in out.scores] == expected
    assert [score.partition(b" ")[0].decode() for score in out.scores] == [
        score.customer_id for score in expected
    ]
    assert (out.rows, out.triggers, out.held_out) == (whole.rows, whole.triggers, whole.held_out)
