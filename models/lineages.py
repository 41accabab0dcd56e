"""Which definition of a campaign comes after which, as far as a trainer knows.

Owns: what becomes of a row by its campaign and its lineage: ours, before ours, or to be waited for.
Never: learns a row; guesses which of two definitions is newer.
Source: ARCHITECTURE.md, "One campaign, two files".
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from models.plan import Plan
from models.row_text import campaign_prefix, lineage_prefix
from schemas.learner_state import SUPERSEDED_MAX, LearnerState

END_OF_CAMPAIGN: Final = b'","'
END_OF_LINEAGE: Final = b'","customer":'

Why = Literal[
    "its campaign is not in our campaign file",
    "its campaign has a definition that we do not know",
    "its campaign has a newer definition than our campaign file",
    "a newer version wrote it",
]


class Waiting(NamedTuple):
    """The first row of a partition that is neither learned nor left out; texts may be empty."""

    offset: int
    campaign: str
    lineage: str
    why: Why


class Succession(NamedTuple):
    """Two definitions of a campaign: the one of our file, and the one that was learned last."""

    campaign: str
    ours: str
    found: str
    outdated: bool  # Ours is the older one: what was found came after it.


class _Ahead(NamedTuple):
    """How far somebody learned a campaign that we cannot learn."""

    lineage: str
    covered: int


class Lineages:
    """What one partition's trainer knows of lineages: its file's, and those that states name."""

    def __init__(self, plan: Plan) -> None:
        self._own = dict(zip(plan.campaigns, plan.lineages, strict=True))
        self._superseded: dict[str, list[str]] = {}
        self._ahead: dict[str, _Ahead] = {}
        self.removed: set[str] = set()
        self._campaigns = {campaign_prefix(name): name for name in plan.campaigns}
        self._prefixes: dict[bytes, tuple[str, str]] = {}
        for campaign in plan.campaigns:
            self._know(campaign, [])

    def superseded(self, campaign: str) -> list[str]:
        """The lineages that came before ours, newest last."""
        return list(self._superseded.get(campaign, ()))

    def meet(self, state: LearnerState) -> Succession | None:
        """Take in whose the newest state of a learner is; says so if it is not of our lineage."""
        campaign, found = state.campaign, state.lineage
        own = self._own.get(campaign)
        if own is None:
            self._ahead[campaign] = _Ahead(found, state.covered)
            return None
        if own == found:
            self._know(campaign, state.superseded)
            return None
        outdated = own in state.superseded
        if outdated:
            self._ahead[campaign] = _Ahead(found, state.covered)
            self._forget(campaign)
        else:
            self._know(campaign, [*state.superseded, found])
        return Succession(campaign, own, found, outdated)

    def _know(self, campaign: str, superseded: list[str]) -> None:
        self._forget(campaign)
        kept = list(dict.fromkeys(superseded))[-SUPERSEDED_MAX:]
        self._superseded[campaign] = kept
        for lineage in (*kept, self._own[campaign]):
            self._prefixes[lineage_prefix(campaign, lineage)] = campaign, lineage

    def _forget(self, campaign: str) -> None:
        self._prefixes = {p: named for p, named in self._prefixes.items() if named[0] != campaign}

    def named(self, value: bytes) -> tuple[str, str] | None:
        """The campaign and the lineage that a row begins with, if nobody has to wait for it."""
        return self._prefixes.get(value[: value.find(END_OF_LINEAGE) + 1])

    def are_named_twice(self, value: bytes, campaign: str, lineage: str) -> bool:
        """Whether a row begins with another campaign or lineage than it says in the end."""
        first = self._campaigns.get(value[: value.find(END_OF_CAMPAIGN) + 1], campaign)
        both = self.named(value) or (campaign, lineage)
        return first != campaign or both != (campaign, lineage)

    def is_removed(self, campaign: str) -> bool:
        """Whether rows of a campaign are left out: it is not in our file, and in no other."""
        return campaign in self.removed and campaign not in self._own

    def is_outdated(self, campaign: str) -> bool:
        """Whether the newest state of a campaign of ours comes after our definition of it."""
        return campaign in self._ahead and campaign in self._own

    def is_learned_elsewhere(self, offset: int, campaign: str) -> bool:
        """Whether a row of a campaign that we cannot learn is covered by a state of somebody's."""
        ahead = self._ahead.get(campaign)
        return ahead is not None and offset < ahead.covered

    def why_wait(self, campaign: str, lineage: str) -> Why | None:
        """Why rows of this lineage have to be waited for; None for ours and those before it."""
        own = self._own.get(campaign)
        if own is None:
            return "its campaign is not in our campaign file"
        if campaign in self._ahead:
            return "its campaign has a newer definition than our campaign file"
        if lineage != own and lineage not in self._superseded[campaign]:
            return "its campaign has a definition that we do not know"
        return None
