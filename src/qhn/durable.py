"""Files that survive a crash: appended through to the disk, or replaced as a whole; links in their place do no harm.

A directory may come from a stranger. Nothing is written through a symbolic link, into a pipe or a device, or into a
file that has another name elsewhere; only the directory itself may be reached through links, which its user made.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import IO

from qhn.errors import QhnError

DAY = 86_400  # seconds after which a temporary file belongs to nobody, whatever process and host it names
PARTIAL = re.compile(r"\.(?P<host>[0-9a-f]{8})-(?P<process>[0-9]+)-[0-9a-f]{8}\.part")
WRITING = os.O_WRONLY | os.O_NOFOLLOW


def append(path: Path, content: bytes) -> None:
    """Append bytes to a file, which is made if it does not exist, and wait until they are on the disk.

    A file with several names (hard links) is copied first, so that the others keep what they have.

    Raises:
        QhnError: if there is a link, a directory, a pipe or a device of that name.
        OSError: if the file cannot be written.
    """
    is_new = not path.exists()
    with os.fdopen(_open_alone(path, os.O_APPEND | os.O_CREAT), "ab") as file, _naming(path):
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_names(path.parent)


def replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replace a file as a whole, so that a reader finds either the old or the new content.

    The new content is written beside the old file, under a name that no other writer uses, and then takes its place in
    one step. A link in that place is replaced itself, and not the file to which it points.

    Args:
        path: the file.
        write: a function that is given a new file, open in binary mode, and writes the content.

    Raises:
        QhnError: if there is a directory, a pipe or a device of that name.
        OSError: if the file cannot be written.
    """
    _check_replaceable(path)
    partial = _partial(path)
    with _naming(path, partial):
        try:
            with _new(partial) as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    _sync_names(path.parent)


def commit(appended: Mapping[Path, bytes], path: Path, content: bytes, before: Path) -> None:
    """Append bytes to files, and then replace another one of the same folder, which counts what they hold.

    All that is appended is on the disk before the new content takes its place, and that before this function returns.
    The disk is waited for once for all files.

    Args:
        appended: the bytes for each file, as for :func:`append`.
        path: the file that is replaced, as by :func:`replace`.
        content: new content of ``path``.
        before: the name under which its old content is kept.

    Raises:
        QhnError: if there is a link, a directory, a pipe or a device under one of the names.
        OSError: if a file cannot be written.
    """
    _check_replaceable(path)
    partial = _partial(path)
    are_new = any(not name.exists() for name in appended)
    try:
        with ExitStack() as opened:
            files: list[tuple[Path, IO[bytes]]] = []
            for name, added in appended.items():
                with _naming(name):
                    end = opened.enter_context(os.fdopen(_open_alone(name, os.O_APPEND | os.O_CREAT), "ab"))
                    _fill(end, added)
                    files.append((name, end))
            with _naming(path, partial):
                file = opened.enter_context(_new(partial))
                _fill(file, content)
                files.append((path, file))
            _sync_together(files)
        if are_new:
            _sync_names(path.parent)
        keep_as(path, before)
        with _naming(path, partial):
            partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync_names(path.parent)


def _fill(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()


def _sync_together(files: Sequence[tuple[Path, IO[bytes]]]) -> None:
    """Wait until the contents of several open files are on the disk, which takes them all at once."""
    failures: list[tuple[Path, OSError]] = []

    def sync(path: Path, file: IO[bytes]) -> None:
        try:
            os.fsync(file.fileno())
        except OSError as error:
            failures.append((path, error))

    threads = [Thread(target=sync, args=one) for one in files[1:]]
    for thread in threads:
        thread.start()
    try:
        sync(*files[0])
    finally:
        for thread in threads:
            thread.join()
    for path, error in failures:
        with _naming(path):
            raise error


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in this context with the same file, which is made if it does not exist."""
    with os.fdopen(_open_alone(path, os.O_APPEND | os.O_CREAT), "ab") as file:
        with suppress(OSError):  # a file system that knows no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def keep_as(path: Path, other: Path) -> None:
    """Keep the present content of a file under another name too, before it is replaced; nothing if there is no file."""
    if not path.exists():
        return
    partial = _partial(other)
    try:
        os.link(path, partial, follow_symlinks=False)
    except OSError:  # a file system without hard links
        replace(other, lambda file: file.write(path.read_bytes()))
    else:
        partial.replace(other)


def export(path: str | Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replace a file that the user names, as by :func:`replace`; if it is a link, the file to which it points.

    Raises:
        QhnError: if there is a directory, a pipe or a device of that name.
        OSError: if the file cannot be written.
    """
    replace(Path(path).resolve(), write)


def truncate(path: Path, size: int) -> None:
    """Cut a file to ``size`` bytes if it is longer.

    A file with several names is copied first, as by :func:`append`.

    Raises:
        QhnError: if there is a link, a directory, a pipe or a device of that name.
        OSError: if the file cannot be written.
    """
    if path.stat().st_size > size:
        descriptor = _open_alone(path)
        try:
            os.ftruncate(descriptor, size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def subfolder(path: Path) -> Path:
    """Make a folder in a directory that qhn writes, unless it is there, and return its path.

    Raises:
        QhnError: if there is a link or a file of that name.
        OSError: if it cannot be made.
    """
    try:
        path.mkdir()
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise _not_ours(path, "a folder") from None
    else:
        _sync_names(path.parent)
    return path


def clear_abandoned(directory: Path) -> None:
    """Delete what killed writers left in a directory and its folders: temporary files of :func:`replace`.

    Those of a process that may still be at work are left alone.
    """
    with suppress(OSError):
        entries = list(os.scandir(directory))
        folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        for entry in entries + [inner for folder in folders for inner in os.scandir(folder)]:
            match = PARTIAL.fullmatch(entry.name)
            if match and _is_abandoned(entry, match["host"], int(match["process"])):
                os.unlink(entry.path)


def open_regular(path: str | Path, flags: int, folder: int | None = None) -> int:
    """Open a regular file, and nothing that could be waited for or read without end.

    Args:
        path: the path of the file.
        flags: the flags of ``os.open``; with ``O_NOFOLLOW`` a symbolic link is refused.
        folder: a descriptor of the folder from which a relative path begins; None for the working directory.

    Returns:
        The descriptor, to be closed by the caller.

    Raises:
        QhnError: if it is no regular file.
        OSError: if it cannot be opened.
    """
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o666, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.ENODEV):
            raise _not_ours(path, "a file") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_ours(path, "a file")
    return descriptor


def _check_replaceable(path: Path) -> None:
    """Refuse to replace what is neither a file nor a link.

    Raises:
        QhnError: if there is a directory, a pipe or a device of that name.
    """
    with suppress(FileNotFoundError):
        if not (stat.S_ISREG(mode := os.lstat(path).st_mode) or stat.S_ISLNK(mode)):
            raise _not_ours(path, "a file")


def _new(path: Path) -> IO[bytes]:
    """A file that did not exist, open for writing; to one open for writing alone numpy writes past Python."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o666), "w+b")


def _partial(path: Path) -> Path:
    """A name beside a file that no other writer uses."""
    return path.with_name(f".{_host()}-{os.getpid()}-{secrets.token_hex(4)}.part")


def _not_ours(path: str | Path, wanted: str) -> QhnError:
    """The error of a name at which something else stands than what qhn would have made."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        mode = 0
    kinds = {
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFREG: "a file",
    }
    found = kinds.get(stat.S_IFMT(mode), "a device")
    return QhnError(f"{path} is {found} where qhn expects {wanted} of its own; move it away")


def _open_alone(path: Path, flags: int = 0) -> int:
    """A descriptor of a file that has no other name, opened for writing."""
    descriptor = open_regular(path, WRITING | flags)
    if os.fstat(descriptor).st_nlink > 1:
        os.close(descriptor)
        with path.open("rb") as shared:
            replace(path, lambda file: shutil.copyfileobj(shared, file))
        descriptor = open_regular(path, WRITING | flags)
    return descriptor


@contextmanager
def _naming(path: Path, partial: Path | None = None) -> Iterator[None]:
    """A context in which errors of the operating system name a file, if they name none or its temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(partial)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _host() -> str:
    """Eight digits that stand for this host, whose name is nobody's business."""
    return f"{zlib.crc32(os.uname().nodename.encode()):08x}"


def _is_abandoned(entry: os.DirEntry[str], host: str, process: int) -> bool:
    """Whether a temporary file belongs to a process of this host that has ended, or was not written for a day."""
    if host == _host():
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        except (OverflowError, PermissionError):
            pass
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > DAY


def _sync_names(folder: Path) -> None:
    """Wait until the names of new files in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
