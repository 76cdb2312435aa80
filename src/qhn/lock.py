"""A lock by which one process at a time writes a directory, also on file systems that have no locks."""

from __future__ import annotations

import errno
import fcntl
import os
import time
import warnings
from contextlib import suppress
from pathlib import Path

from qhn.durable import open_regular
from qhn.errors import QhnError, QhnWarning

LOCK, HELD = ".lock", ".lock-held"  # the file that is locked, and the one that stands for a lock
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)
SHOWN_BYTES = 200  # of who holds a lock


class Lock:
    """A lock on a directory: a context that one process, and in it one object, can be in at a time.

    The object may enter it again while it is in it. The lock is ``flock`` on the file ``.lock``, which ends with the
    process. On a file system without ``flock`` it is the file ``.lock-held``, made exclusively, which names the host,
    the process and the time; if its process was killed, it stays until the user deletes it.

    Args:
        folder: the directory, which exists.
        busy: the class of the error that is raised if another process is in the context.
        follow: words for that error on how to see what the other process does.
        read_only: words that follow the error of a directory that cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, Lock(Path(folder)):
    ...     with Lock(Path(folder), follow="wait for it"):
    ...         pass
    Traceback (most recent call last):
    qhn.errors.QhnError: ... is being written by another process; wait for it
    """

    def __init__(
        self,
        folder: Path,
        busy: type[QhnError] = QhnError,
        follow: str = "try again when it has ended",
        read_only: str = "",
    ) -> None:
        self.folder, self._busy, self._follow, self._read_only = folder, busy, follow, read_only
        self._depth = 0
        self._open: list[int] = []  # descriptors of the folder and of the locked file
        self._mark: os.stat_result | None = None  # the file that stands for the lock, which has to be deleted

    def __enter__(self) -> Lock:
        if self._depth == 0:
            try:
                self._take()
            except BaseException:
                self._release()
                raise
        self._depth += 1
        return self

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._release()

    def _take(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._open.append(folder)
        try:
            file = open_regular(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW)
            self._open.append(file)
            has_locks = self._lock(file)
            if not self._is_in_place(folder, file):
                raise self._busy(f"{self.folder} was set aside by another process")
            if has_locks and HELD in os.listdir(folder):  # of a host for which the file system has no locks
                raise self._refusal(self._holder(folder))
            if not has_locks:
                self._make_mark(folder)
        except OSError as error:
            if error.errno not in READ_ONLY:
                raise
            raise OSError(error.errno, f"{error.strerror}{self._read_only}", str(self.folder)) from error

    def _lock(self, file: int) -> bool:
        """Lock the open file; False if its file system has no locks."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._refusal("") from None
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            words = f"the file system of {self.folder} has no locks ({error.strerror}): {HELD} is made there instead"
            warnings.warn(QhnWarning(words), stacklevel=2)
            return False
        return True

    def _is_in_place(self, folder: int, file: int) -> bool:
        """Whether both are still what their paths name, so that others find them locked."""
        try:
            return os.path.samestat(os.fstat(folder), os.stat(self.folder)) and os.path.samestat(
                os.fstat(file), os.stat(LOCK, dir_fd=folder, follow_symlinks=False)
            )
        except FileNotFoundError:
            return False

    def _make_mark(self, folder: int) -> None:
        """Make the file that stands for the lock, through the folder's descriptor, which follows its renaming."""
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(HELD, flags, 0o666, dir_fd=folder)
        except FileExistsError:
            raise self._refusal(self._holder(folder)) from None
        self._mark = os.fstat(file)
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        with os.fdopen(file, "wb") as mark:
            mark.write(f"host {os.uname().nodename}, process {os.getpid()}, since {now}\n".encode())
            mark.flush()
            os.fsync(mark.fileno())
        os.fsync(folder)

    def _holder(self, folder: int) -> str:
        """Who made the file that stands for the lock, and what to do if that process has ended."""
        try:
            file = open_regular(HELD, os.O_RDONLY | os.O_NOFOLLOW, folder)
        except (OSError, QhnError):
            who = ""
        else:
            with os.fdopen(file, "rb") as mark:
                text = mark.read(SHOWN_BYTES).decode(errors="replace").strip()
                who = "".join(letter if letter.isprintable() else "?" for letter in text)
        return f" ({who or 'unknown'}; if that process has ended, delete {self.folder / HELD})"

    def _refusal(self, holder: str) -> QhnError:
        return self._busy(f"{self.folder} is being written by another process{holder}; {self._follow}")

    def _release(self) -> None:
        if self._mark is not None:
            with suppress(FileNotFoundError):
                if os.path.samestat(self._mark, os.stat(HELD, dir_fd=self._open[0], follow_symlinks=False)):
                    os.unlink(HELD, dir_fd=self._open[0])
        self._mark = None
        while self._open:
            os.close(self._open.pop())
