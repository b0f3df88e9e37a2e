"""Disk space held back, so that a full disk does not keep the spool from emptying itself.

To delete, SQLite has to write: on a full disk everything would stay for ever. The reserve is given up for that, and
nothing new is taken until it can be had again.
"""

import os
from contextlib import suppress
from pathlib import Path

# More than the write-ahead log holds, so that all of it can be copied into the database.
SIZE = 16 * 1024 * 1024


class Reserve:
    """A file whose `SIZE` bytes are really there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.held = False

    def hold(self) -> bool:
        """Whether the space is held: since before, or from now on."""
        if not self.held:
            try:
                with self._path.open("ab") as file:
                    os.posix_fallocate(file.fileno(), 0, SIZE)
            except OSError:
                self.release()
            else:
                self.held = True
        return self.held

    def release(self) -> None:
        """Gives the space back to the disk."""
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        self.held = False
