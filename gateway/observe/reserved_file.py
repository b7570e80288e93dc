"""The files of the workers' metrics, which don't crash a worker on a full disk.

prometheus_client 0.26 maps sparse files into memory. The first write to a page takes a block of the
disk; if the disk is full, the kernel then kills the process with SIGBUS. Here all blocks are
reserved before, and a worker that gets none keeps its metrics in its own memory.
"""

import mmap
import os
import struct
import sys
from collections.abc import Callable
from typing import Any

from prometheus_client import mmap_dict, values

_FIRST_BYTES = 1 << 18
"""Enough for about 1000 series, so that files hardly ever grow."""
_BROKEN = (RuntimeError, ValueError, struct.error)
"""The errors of prometheus_client 0.26 for a file whose process died while it wrote."""


class ReservedFile(mmap_dict.MmapedDict):
    """A file of metrics whose blocks are reserved; plain memory if the disk is full."""

    on_lost: Callable[[OSError], None] = staticmethod(lambda error: None)
    """Called when a file can't be written. Its metrics then miss in the sum over all workers."""

    _f: Any
    _m: Any

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        try:
            _reserve(filename, _FIRST_BYTES)
            try:
                super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]
            except _BROKEN:
                self._f.close()
                os.truncate(filename, 0)
                _reserve(filename, _FIRST_BYTES)
                super().__init__(filename, read_mode)  # type: ignore[no-untyped-call]
        except OSError as error:
            self._f, self._fname = None, filename
            self._positions: dict[str, int] = {}
            self._used = 8
            self._capacity = _FIRST_BYTES
            self._m = bytearray(_FIRST_BYTES)
            type(self).on_lost(error)

    def _init_value(self, key: str) -> None:
        needed = self._used + 4 * len(key.encode()) + 64
        if needed > self._capacity:
            self._grow(max(2 * self._capacity, needed))
        super()._init_value(key)  # type: ignore[no-untyped-call]

    def _grow(self, capacity: int) -> None:
        if self._f is not None:
            try:
                _allocate(self._f.fileno(), capacity)
            except OSError as error:
                self._m = bytearray(self._m)
                self._f.close()
                self._f = None
                type(self).on_lost(error)
            else:
                self._m = mmap.mmap(self._f.fileno(), capacity)
        if self._f is None:
            self._m.extend(bytes(capacity - len(self._m)))
        self._capacity = capacity

    def close(self) -> None:
        """Closes the file, if there is one."""
        if self._f is not None:
            super().close()  # type: ignore[no-untyped-call]


def reserve_files(on_lost: Callable[[OSError], None]) -> None:
    """Makes prometheus_client use these files from now on. on_lost: see ReservedFile."""
    ReservedFile.on_lost = staticmethod(on_lost)
    values.MmapedDict = ReservedFile  # type: ignore[attr-defined]


def _reserve(filename: str, size: int) -> None:
    """Creates the file if it does not exist, and reserves its blocks. Raises OSError."""
    descriptor = os.open(filename, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        before = os.fstat(descriptor).st_size
        try:
            _allocate(descriptor, max(size, before))
        except OSError:
            if before == 0:
                os.unlink(filename)  # gives back the part that was reserved
            raise
    finally:
        os.close(descriptor)


def _allocate(descriptor: int, size: int) -> None:
    if sys.platform == "darwin":  # has no posix_fallocate
        os.truncate(descriptor, size)
    else:
        os.posix_fallocate(descriptor, 0, size)
