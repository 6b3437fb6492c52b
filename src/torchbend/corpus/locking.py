"""A lock on an open file that is gone when its process is, however it ended."""

from __future__ import annotations

import errno
import sys
import time
from typing import IO

__all__ = ["lock", "unlock"]

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)

if sys.platform == "win32":
    import msvcrt

    def _take(file: IO[bytes]) -> None:
        place = file.tell()
        file.seek(1 << 62)  # behind every byte, since a locked byte cannot be read
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        finally:
            file.seek(place)

    def unlock(file: IO[bytes]) -> None:
        """Give a lock back; closing the file does so where no child process has it open too."""
        place = file.tell()
        file.seek(1 << 62)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        finally:
            file.seek(place)

else:
    import fcntl

    def _take(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def unlock(file: IO[bytes]) -> None:
        """Give a lock back; closing the file does so where no child process has it open too."""
        fcntl.flock(file, fcntl.LOCK_UN)


def lock(file: IO[bytes], patience: float = 0.0) -> bool:
    """Take the lock of a file that is open for writing; closing the file gives it back.

    Where the file system knows no locks, it is taken for granted.

    Args:
        file: open for writing.
        patience: how long to wait for another who holds it, in seconds.

    Returns:
        Whether it was had.
    """
    until = time.monotonic() + patience
    while True:
        try:
            _take(file)
        except OSError as error:
            if error.errno not in _HELD:
                return True
        else:
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)
