"""The columns of a campaign file: which numbers describe a customer, and what each is called.

Owns: streams, columns, hinges, their names, sources and prior variances.
Never: values; a layout is fixed by the campaign file alone.
Source: the features follow the usual practice of decayed counters with several half-lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from schemas.campaign import Campaign, CampaignFile
from schemas.clauses import Clause, clause_name

Item = TypeVar("Item")

OTHER = "other"
DAY_MS = 86_400_000
COUNT_BY_VALUES_MAX = 64
UNITS_PER_ONE = 100_000.0  # Features lie on this grid: five decimals say one exactly.
HINGE_KNOTS = (1.0, 2.0, 3.0, 4.0)  # The whole numbers: a feature's whole part says which.
DENSE_COLUMNS_MAX = 256
SPARE_COLUMNS = 33  # Left for the bias and for values that are only known once they are seen.
PRIOR_VARIANCE_HINGE = 0.01
PRIOR_VARIANCE_COUNT_BY = 0.005
CONTEXT = ("tenure", "hour sin", "hour cos", "weekday sin", "weekday cos")
ANSWERS = ("hits", "misses", "hits 30d", "misses 30d")


@dataclass(frozen=True)
class Stream:
    """Events that are counted together: those that satisfy one of `clauses` (none: the rest)."""

    name: str
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class Column:
    """One number of the dense vector: its name, and the source that reasons name."""

    name: str
    source: str


@dataclass(frozen=True)
class Hinge:
    """`max(0, x[column] - knot)`, with `column` a position in the campaign's own columns."""

    column: int
    knot: float
    name: str


@dataclass(frozen=True)
class CampaignColumns:
    """A campaign's selection from the layout, in the order its examples store them."""

    columns: tuple[int, ...]
    names: tuple[str, ...]
    hinges: tuple[Hinge, ...]
    categories: tuple[int, ...]
    prior_variances: dict[str, float]

    @property
    def bends(self) -> tuple[int, ...]:
        """The positions that have hinges, each once, in the order of the hinges."""
        return tuple(dict.fromkeys(hinge.column for hinge in self.hinges))


@dataclass(frozen=True)
class Layout:
    """Everything that a vector of features can hold under one campaign file."""

    streams: tuple[Stream, ...]
    half_lives_ms: tuple[int | None, ...]
    count_by: tuple[tuple[str, str], ...]
    numbers: tuple[str, ...]
    categories: tuple[tuple[str, ...], ...]
    columns: tuple[Column, ...]
    sources: tuple[str, ...]
    campaigns: tuple[CampaignColumns, ...] = field(default=())

    @property
    def stream_width(self) -> int:
        """Columns of one stream: counts and values by half-life, recency, seen, gap."""
        return 2 * len(self.half_lives_ms) + 3

    def stream_column(self, stream: int, tail: int) -> int:
        """The column of one number of a stream.

        All streams' counts come first, then all their values, recencies, seen flags and gaps: as
        profiles hold them, so that the loop over events fills each kind in one sweep.
        """
        streams, ages = len(self.streams), len(self.half_lives_ms)
        if tail < 2 * ages:
            kind, age = divmod(tail, ages)
            return (kind * streams + stream) * ages + age
        return tail * streams + stream

    @property
    def context_start(self) -> int:
        """The first context column."""
        return len(self.streams) * self.stream_width

    @property
    def numbers_start(self) -> int:
        """The first column of the declared numbers (value, absent flag, value, …)."""
        return self.context_start + len(CONTEXT)

    @property
    def count_by_start(self) -> int:
        """The first column of the first `count_by` group."""
        return self.numbers_start + 2 * len(self.numbers)

    @property
    def answers_start(self) -> int:
        """The first column of the first campaign's answers."""
        return self.count_by_start + COUNT_BY_VALUES_MAX * len(self.count_by)


def half_life_name(half_life_ms: int | None) -> str:
    """`1h`, `7d`, `all`."""
    if half_life_ms is None:
        return "all"
    for unit, size in (("d", DAY_MS), ("h", 3_600_000), ("m", 60_000)):
        if half_life_ms % size == 0:
            return f"{half_life_ms // size}{unit}"
    return f"{half_life_ms // 1000}s"


def goal_stream_name(campaign: Campaign) -> str:
    """The name of the stream of a campaign's goal events."""
    return " or ".join(clause_name(clause) for clause in campaign.goal.clauses)


def named_types(file: CampaignFile) -> tuple[str, ...]:
    """Event types with counters of their own, in the order in which the file names them.

    Types that only `for` names have none: who is asked about changes no feature.
    """
    names: dict[str, None] = {}
    for campaign in file.campaigns.values():
        names.update(dict.fromkeys(clause.event for clause in campaign.clauses))
        names.update(dict.fromkeys(group.event for group in campaign.features.count_by))
    names.update(dict.fromkeys(file.events.count))
    return tuple(name for name in names if name not in file.events.ignore)


def _streams(file: CampaignFile) -> tuple[Stream, ...]:
    streams = {name: Stream(name, (Clause(event=name),)) for name in named_types(file)}
    rest = _free(OTHER, set(streams))
    streams[rest] = Stream(rest, ())
    for campaign in file.campaigns.values():
        name = goal_stream_name(campaign)
        streams.setdefault(name, Stream(name, tuple(campaign.goal.clauses)))
    return tuple(streams.values())


def _union(lists: Iterable[Sequence[Item]]) -> tuple[Item, ...]:
    return tuple(dict.fromkeys(item for items in lists for item in items))


def _free(name: str, taken: set[str]) -> str:
    """The name, primed where a type or a property of the sender would share it; it is taken now."""
    while name in taken:
        name += "'"
    taken.add(name)
    return name


def _columns(layout: Layout, campaigns: Sequence[Campaign]) -> tuple[Column, ...]:
    ages = [half_life_name(age) for age in layout.half_lives_ms]
    tails = [*ages, *(f"value {age}" for age in ages), "recency", "seen", "gap"]
    taken = {*CONTEXT, *ANSWERS}
    columns: list[Column] = [Column("", "")] * layout.context_start
    for position, stream in enumerate(layout.streams):
        for place, tail in enumerate(tails):
            column = Column(_free(f"{stream.name} {tail}", taken), stream.name)
            columns[layout.stream_column(position, place)] = column
    columns += [Column(name, "tenure" if name == "tenure" else "time of day") for name in CONTEXT]
    for name in layout.numbers:
        columns += [Column(_free(own, taken), name) for own in (name, f"{name} absent")]
    for event, by in layout.count_by:
        columns += [Column(f"{event} by {by}", by)] * COUNT_BY_VALUES_MAX
    columns += [Column(name, "answers") for _ in campaigns for name in ANSWERS]
    return tuple(columns)


def _hinge_bases(layout: Layout, campaign: Campaign) -> list[int]:
    """Columns that get hinges: of the goal's stream first, then of the scored types'."""
    position = {stream.name: index for index, stream in enumerate(layout.streams)}
    names = [goal_stream_name(campaign), *(clause.event for clause in campaign.score_on)]
    width = layout.stream_width
    kept = [column for column in range(width) if column != width - 2]  # All but the seen flag.
    streams = [position[name] for name in dict.fromkeys(names) if name in position]
    return [layout.stream_column(stream, column) for stream in streams for column in kept]


def _campaign_columns(layout: Layout, index: int, campaign: Campaign) -> CampaignColumns:
    ages = [layout.half_lives_ms.index(age) for age in campaign.features.half_lives_ms]
    half_lives = len(layout.half_lives_ms)
    types = {stream.name for stream in layout.streams if len(stream.clauses) <= 1}
    own = {goal_stream_name(campaign)}
    chosen: list[int] = []
    for position, stream in enumerate(layout.streams):
        bare = not stream.clauses or not stream.clauses[0].where
        if not (bare and stream.name in types) and stream.name not in own:
            continue
        tails = [*ages, *(half_lives + age for age in ages)]
        tails += range(2 * half_lives, layout.stream_width)
        chosen += [layout.stream_column(position, tail) for tail in tails]
    chosen += range(layout.context_start, layout.context_start + len(CONTEXT))
    for name in campaign.features.numbers:
        start = layout.numbers_start + 2 * layout.numbers.index(name)
        chosen += [start, start + 1]
    answers = layout.answers_start + len(ANSWERS) * index
    chosen += range(answers, answers + len(ANSWERS))
    static = len(chosen)
    for group in campaign.features.count_by:
        place = layout.count_by.index((group.event, group.by))
        start = layout.count_by_start + COUNT_BY_VALUES_MAX * place
        chosen += range(start, start + COUNT_BY_VALUES_MAX)
    names = tuple(layout.columns[column].name for column in chosen)
    hinges = _hinges(layout, campaign, chosen, static)
    categories = [*((name,) for name in campaign.features.categories), *campaign.features.crosses]
    return CampaignColumns(
        columns=tuple(chosen),
        names=names,
        hinges=hinges,
        categories=tuple(layout.categories.index(key) for key in categories),
        prior_variances=_prior_variances(campaign, hinges),
    )


def _hinges(
    layout: Layout, campaign: Campaign, chosen: Sequence[int], static: int
) -> tuple[Hinge, ...]:
    room = DENSE_COLUMNS_MAX - SPARE_COLUMNS - static
    position = {column: place for place, column in enumerate(chosen)}
    bases = [position[base] for base in _hinge_bases(layout, campaign) if base in position]
    hinges = [
        Hinge(base, knot, f"{layout.columns[chosen[base]].name} >{knot:g}")
        for base in bases
        for knot in HINGE_KNOTS
    ]
    return tuple(hinges[: max(0, room)])


def _prior_variances(campaign: Campaign, hinges: Sequence[Hinge]) -> dict[str, float]:
    """Variances that differ from the default; a key that ends in `=` stands for a family."""
    variances = {hinge.name: PRIOR_VARIANCE_HINGE for hinge in hinges}
    for group in campaign.features.count_by:
        variances[f"{group.event} by {group.by}="] = PRIOR_VARIANCE_COUNT_BY
    return variances


def make_layout(file: CampaignFile) -> Layout:
    """Lay out the columns of a campaign file."""
    campaigns = list(file.campaigns.values())
    ages = _union([campaign.features.half_lives_ms for campaign in campaigns])
    groups = _union(
        [
            [(group.event, group.by) for group in campaign.features.count_by]
            for campaign in campaigns
        ]
    )
    plain = _union([campaign.features.categories for campaign in campaigns])
    crosses = _union([campaign.features.crosses for campaign in campaigns])
    categories: list[tuple[str, ...]] = [(name,) for name in plain]
    categories += [cross for cross in crosses if cross not in categories]
    layout = Layout(
        streams=_streams(file),
        half_lives_ms=tuple(sorted(ages, key=lambda age: (age is None, age or 0))),
        count_by=groups,
        numbers=_union([campaign.features.numbers for campaign in campaigns]),
        categories=tuple(categories),
        columns=(),
        sources=(),
    )
    columns = _columns(layout, campaigns)
    crossed = ["×".join(category) for category in categories]
    # By name: what a campaign's score adds up to must not depend on the other campaigns.
    sources = tuple(sorted({*(column.source for column in columns), *crossed}))
    layout = replace(layout, columns=columns, sources=sources)
    return replace(
        layout,
        campaigns=tuple(
            _campaign_columns(layout, index, campaign) for index, campaign in enumerate(campaigns)
        ),
    )
