"""Who may write here, and whether this is still the file that was written before.

Beside the store `deck.db` lie `deck.db.lock`, locked for as long as an engine writes, and `deck.db.id`, which says which
store was kept here and how far it had come. So a file that is missing, emptied, exchanged, or older than it was is
noticed at the start, before anything acts on what it does not say.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from engine.core.errors import StoreBroken, StoreLocked, StoreReadOnly

APPLICATION_ID: Final = 0x51D3C4A7
_MAGIC: Final = b"SQLite format 3\x00"
_HEADER_BYTES: Final = 100
_MOUNTS: Final = Path("/proc/self/mountinfo")
# SQLite's log needs shared memory and locks that work: one machine, one kernel.
_REMOTE_KINDS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "coda", "glusterfs", "lustre", "ncpfs", "virtiofs"}
)


@dataclass(frozen=True, slots=True)
class Mark:
    """What the side file says: which store this is, how often it was opened, and its newest event when last looked at."""

    store: str
    generation: int
    event: int


class Custody:
    """The lock and the side file of one store."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock_path = path.with_name(path.name + ".lock")
        self.mark_path = path.with_name(path.name + ".id")
        self._lock: int | None = None

    def take(self) -> bool:
        """Lock the store for as long as this process lives, and look at its file. Say whether it is to be made.

        Raises StoreLocked with the holder's process and host, StoreReadOnly, StoreBroken.
        """
        kind = network_kind(self.path, _mounts())
        if kind is not None:
            raise StoreReadOnly(f"{self.path} lies on {kind}, where SQLite's log is not safe: use a local disk")
        self._lock = _lock(self.lock_path, self.path)
        try:
            return self._is_fresh()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)  # which unlocks; the file stays, or two could hold two locks of one name
            self._lock = None

    def compare(self, found: Mark) -> None:
        """Hold what the database says against the side file. Raises StoreBroken if it fell behind or is another."""
        kept = self._mark()
        if kept is None:
            return
        if kept.store != found.store:
            raise StoreBroken(
                f"{self.path} is another store ({found.store}) than the one kept here before ({kept.store}): "
                f"put the right file back, or remove {self.mark_path} to go on with this one"
            )
        if found.generation < kept.generation or found.event < kept.event:
            raise StoreBroken(
                f"{self.path} is older than it was: it had been opened {kept.generation} times and held event "
                f"{kept.event}, this file says {found.generation} and {found.event}. A backup was restored, or its -wal "
                f"file is lost. Orders may exist that it does not know: compare the venues' open and recent orders "
                f"first, then remove {self.mark_path} to go on with this file"
            )

    def note(self, mark: Mark) -> None:
        """Keep the side file, on disk before this returns."""
        fresh = self.mark_path.with_name(self.mark_path.name + ".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, json.dumps(asdict(mark)).encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        fresh.replace(self.mark_path)
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _is_fresh(self) -> bool:
        kept = self._mark()
        size = self.path.stat().st_size if self.path.exists() else -1
        if size > 0:
            self._check_header()
            return False
        if kept is None:
            return True
        what = "is gone" if size < 0 else "is empty"
        raise StoreBroken(
            f"{self.path} {what}, but store {kept.store} was kept there: restore it from a backup. To begin anew "
            f"instead, first look for open orders at the venues, then remove {self.mark_path}"
        )

    def _check_header(self) -> None:
        with self.path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
        if not header.startswith(_MAGIC):
            raise StoreBroken(f"{self.path} is not a database: keep it, and restore a backup, or name another file")
        (owner,) = struct.unpack(">I", header[68:72])
        log = self.path.with_name(self.path.name + "-wal")
        unfinished = owner == 0 and log.exists() and log.stat().st_size > 0  # its first page is still in the log
        if owner != APPLICATION_ID and not unfinished:
            raise StoreBroken(f"{self.path} is a database of another program: name another file")

    def _mark(self) -> Mark | None:
        try:
            return Mark(**json.loads(self.mark_path.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise StoreBroken(
                f"{self.mark_path} cannot be read: check that {self.path} is the right file, then remove it"
            ) from error


def network_kind(path: Path, mounts: Iterable[str]) -> str | None:
    """Return the kind of the network file system that `path` lies on, None if it is local.

    `mounts` are lines as in Linux's /proc/self/mountinfo; the longest mount point above the path decides.
    """
    place, longest, kind = str(path.absolute()), "", ""
    for line in mounts:
        fields, _, tail = line.partition(" - ")
        point = fields.split(" ")[4].replace("\\040", " ")
        inside = place == point or place.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(longest):
            longest, kind = point, tail.split(" ")[0]
    remote = kind in _REMOTE_KINDS or (kind.startswith("fuse.") and kind != "fuse.fuse-overlayfs")
    return kind if remote else None


def _mounts() -> list[str]:
    return _MOUNTS.read_text().splitlines() if _MOUNTS.exists() else []


def _lock(lock_path: Path, path: Path) -> int:
    try:
        handle = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreReadOnly(f"{lock_path}: {error.strerror}; check that its folder is there and writable") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "another process"
        os.close(handle)
        raise StoreLocked(f"{path} is in use by {holder}: look at it with `signaldeck attach`, or stop it") from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
    return handle
