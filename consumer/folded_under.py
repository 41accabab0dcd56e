"""Under which campaign files a partition's records were folded, and the files again by digest.

Owns: the pieces of a tail, each with the file that it was committed under.
Never: folds, or guesses: what is not known is folded under the present file, and it is said.
Source: ARCHITECTURE.md, "One campaign, two files".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import msgspec

from consumer.logs import say
from consumer.snapshots.names import campaign_file_name
from consumer.snapshots.snapshots import Snapshots
from consumer.snapshots.store import in_words
from models.plan import Limits, Plan, compile_plan
from models.served_again import ServedAgain
from schemas.campaign import CampaignFile

FILES_NOTED_MAX: Final = 16  # In the note of a commit, 40 bytes each.


class FileSince(NamedTuple):
    """Records from this offset on were folded under the file of this digest (`Plan.digest`)."""

    offset: int
    digest: str


Files = tuple[FileSince, ...]


def followed_by(files: Files, offset: int, digest: str) -> Files:
    """The same, and from `offset` on a file that may be another one."""
    if files and files[-1].digest == digest:
        return files
    return (*files, FileSince(offset, digest))[-FILES_NOTED_MAX:]


@dataclass(slots=True)
class TailPiece:
    """Records before `stop` are folded again under `plan`; `served` is what was served of them."""

    stop: int
    plan: Plan
    served: ServedAgain


class _Kept(msgspec.Struct, frozen=True):
    """A campaign file, and the limits under which it was folded."""

    file: CampaignFile
    limits: Limits


class KeptFiles:
    """The campaign files of a group, in the store of its snapshots.

    Parameters
    ----------
    snapshots: where they are kept; without, only the present one is known.
    plan: the present one.
    """

    def __init__(
        self,
        snapshots: Snapshots | None,
        plan: Plan,
    ) -> None:
        self._snapshots = snapshots
        self._plan = plan
        self._is_kept = snapshots is None

    @property
    def are_kept(self) -> bool:
        """Whether the present file is in the store, or there is none."""
        return self._is_kept

    def keep(self) -> None:
        """Keep the present file, once, before anything is committed under it."""
        if self._is_kept or self._snapshots is None:
            return
        name = campaign_file_name(self._snapshots.group, self._plan.digest)
        try:
            kept = _Kept(self._plan.file, self._plan.limits)
            self._snapshots.store.write(name, [msgspec.json.encode(kept)])
            self._is_kept = True
        except OSError as error:
            say("campaign_file_not_kept", problem=in_words(error))

    def pieces(
        self, files: Files, first: int, stop: int, *, patient: bool = True
    ) -> list[TailPiece]:
        """The records [first, stop) in pieces of one file each.

        Raises
        ------
        OSError: the store does not give a file that it may still have; not unless `patient`.
        """
        if first >= stop:
            return []
        edges = [max(since.offset, first) for since in files[1:] if since.offset < stop]
        digests = [since.digest for since in files if since.offset < stop] or [self._plan.digest]
        found: list[TailPiece] = []
        for (begin, end), digest in zip(pairwise([first, *edges, stop]), digests, strict=True):
            if begin < end:
                plan = self._plan_of(digest, patient=patient)
                found.append(TailPiece(end, plan, ServedAgain(plan)))
        return found

    def _plan_of(self, digest: str, *, patient: bool) -> Plan:
        """The plan of a digest; the present one, with a warning, where it is not known."""
        if digest == self._plan.digest:
            return self._plan
        problem = "no store of snapshots keeps it"
        if self._snapshots is not None:
            try:
                name = campaign_file_name(self._snapshots.group, digest)
                data = self._snapshots.store.read(name)
                kept = msgspec.json.decode(data, type=_Kept)
                plan = compile_plan(kept.file, kept.limits)
                if plan.digest == digest:
                    return plan
                problem = "it is not what it was"
            except FileNotFoundError as error:
                problem = in_words(error)
            except OSError as error:
                if patient:
                    raise
                problem = in_words(error)
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
                problem = str(error)
        say("campaign_file_gone", digest=digest, problem=problem)
        return self._plan
