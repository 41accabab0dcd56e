"""Whether snapshots can be written, are seen by all workers, and have room.

Owns: the mark that one host leaves for the others, and which folders are shared by their nature.
Never: touches a snapshot, or leaves anything but the mark.
Source: docs/doctor.md, "Snapshots"; Linux, proc_pid_mountinfo(5).
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from shlex import join
from typing import Final

import msgspec

from consumer.doctor.command_lines import CommandLines
from consumer.doctor.facts import Member
from consumer.doctor.finding import Finding
from consumer.snapshots.names import mark_name, marks_prefix
from consumer.snapshots.store import SnapshotStore, in_words

MIB: Final = 1 << 20
ROOM_MIN_BYTES: Final = 64 * MIB

SHARED_FILESYSTEMS: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "9p"),
        *("afs", "gfs2", "ocfs2", "virtiofs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph"),
        *("fuse.s3fs", "fuse.gcsfuse", "fuse.juicefs", "fuse.mount-s3"),
    }
)


class Mark(msgspec.Struct, frozen=True):
    """What a doctor leaves in the store: beside which worker it has looked."""

    instance: str


def leave_mark(store: SnapshotStore, group: str, instance: str) -> frozenset[str]:
    """Write our mark, read it back, and give the instances whose marks are there.

    Raises
    ------
    OSError: the store cannot be written, read or listed.
    """
    name, mark = mark_name(group, instance), msgspec.json.encode(Mark(instance))
    store.write(name, [mark])
    if store.read(name) != mark:
        raise OSError(errno.EIO, "what was written does not come back", name)
    found = set()
    for other in store.list(marks_prefix(group)):
        try:
            found.add(msgspec.json.decode(store.read(other), type=Mark).instance)
        except (msgspec.DecodeError, FileNotFoundError):
            continue
    return frozenset(found)


def refused_store(url: str, error: OSError) -> Finding:
    """A store that cannot be used, and the next step towards its reason."""
    remedies: Mapping[int | None, tuple[str, list[str]]] = {
        errno.EACCES: ("Give the folder to the user of the worker", ["ls", "-ld", url]),
        errno.EPERM: ("Give the folder to the user of the worker", ["ls", "-ld", url]),
        errno.EROFS: ("Mount it for writing", ["findmnt", "-T", url]),
        errno.ENOSPC: ("Make room", ["df", "-h", url]),
        errno.ENOTDIR: ("A file stands where a folder should be", ["ls", "-ld", url]),
        errno.EEXIST: ("A file stands where a folder should be", ["ls", "-ld", url]),
    }
    reason = ("Name a folder that can be written, or a bucket", ["ls", "-ld", url])
    if url.startswith("s3://"):
        reason = ("Check the credentials of the environment (`AWS_…`)", ["aws", "s3", "ls", url])
    remedy, words = remedies.get(error.errno, reason) if not url.startswith("s3://") else reason
    return Finding(
        "snapshot store",
        "failed",
        f"{url} cannot be written: {in_words(error)}",
        "a folder or bucket that the worker may write, read and list",
        remedy,
        join(words),
    )


def judge_sharing(
    url: str,
    filesystem: str,
    members: Sequence[Member],
    ours: Member,
    marks: frozenset[str],
    lines: CommandLines,
) -> list[Finding]:
    """Whoever takes over a partition finds its snapshots: workers on several hosts share a store.

    `ours` is this instance and the address at which brokers see this machine. A folder is taken
    as shared where its file system is, or where each other host has left its mark in it.
    """
    check = "shared store"
    if url.startswith("s3://") or filesystem in SHARED_FILESYSTEMS:
        return [Finding(check, "ok", f"{url} is {filesystem or 'a bucket'}")]
    elsewhere = sorted({each for each in members if each.host != ours.host}, key=str)
    if not elsewhere:
        where = "no worker of the group is on another host"
        return [Finding(check, "ok", where if members else "no worker of the group runs yet")]
    unseen = [each for each in elsewhere if each.instance not in marks]
    if not unseen:
        return [Finding(check, "ok", f"the other hosts have left their marks in {url}")]
    said = ", ".join(f"{each.instance} at {each.host}" for each in unseen)
    return [
        Finding(
            check,
            "failed",
            f"workers of the group run elsewhere ({said}), and {url} is a folder of this machine "
            f"({filesystem or 'unknown file system'}) in which they have left no mark",
            "one store for all: who takes over a partition reads its snapshots",
            "Name a shared folder or s3://bucket/prefix in `snapshots.url`; if it is a volume that "
            "they share, run this beside each of those workers once: it leaves a mark there",
            lines.ours("doctor"),
        )
    ]


def judge_disk(url: str, free_bytes: int | None, snapshots_bytes: Sequence[int]) -> list[Finding]:
    """There is room for the next snapshot of each partition, beside those that are kept.

    `snapshots_bytes`: the newest of each partition, as they lie there. `free_bytes` is None for a
    bucket.
    """
    if free_bytes is None:
        return [Finding("disk", "ok", f"{url} is on no disk of this machine")]
    largest = max(*snapshots_bytes, ROOM_MIN_BYTES) if snapshots_bytes else ROOM_MIN_BYTES
    whole = max(sum(snapshots_bytes), ROOM_MIN_BYTES)
    found = f"{in_mib(free_bytes)} are free at {url}"
    if free_bytes >= whole:
        return [Finding("disk", "ok", found)]
    return [
        Finding(
            "disk",
            "failed" if free_bytes < largest else "warning",
            found,
            f"{in_mib(whole)}, for one more snapshot of each partition",
            "Make room, or keep fewer with `snapshots: {generations: 2}`",
            join(["df", "-h", url]),
        )
    ]


def filesystem_of(path: Path, mountinfo: str) -> str:
    """The type of the file system that a path lies on, by the text of /proc/self/mountinfo.

    >>> mounts = ["1 0 0:1 / / rw - ext4 d rw", "2 1 0:2 / /state rw - nfs4 h rw"]
    >>> filesystem_of(Path("/state/a"), chr(10).join(mounts))
    'nfs4'
    """
    best, kind = -1, ""
    for line in mountinfo.splitlines():
        left, dash, right = line.partition(" - ")
        fields = left.split(" ")
        if not dash or len(fields) < 5:
            continue
        point = PurePath(fields[4].replace("\\040", " "))
        # Of two mounts at one place the later hides the earlier.
        if path.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), right.split(" ")[0]
    return kind


def in_mib(size_bytes: float) -> str:
    """Bytes as MiB, or GiB from 10 on."""
    gib = size_bytes / (1024 * MIB)
    return f"{gib:,.0f} GiB" if gib >= 10 else f"{size_bytes / MIB:,.0f} MiB"
