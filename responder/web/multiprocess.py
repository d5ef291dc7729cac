"""The counters' files: prometheus-client's multiprocess mode, with one set of files for each worker slot."""

import os
import struct
import threading
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram, values
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from responder.counters import Metric, Write

#: Size of a new file in bytes, as prometheus-client has it. A file doubles when it is full.
_FIRST_BYTES = 1 << 16
#: Bytes of an entry beside its key: length, padding, value and timestamp.
_ENTRY_BYTES = 32
#: What prometheus-client raises for a file that it cannot read.
_DAMAGED = (ValueError, RuntimeError, struct.error)


class _ReservedFile(MmapedDict):
    """A file whose space is taken on the disk before it is mapped.

    prometheus-client maps sparse files. A write into a hole on a full disk is SIGBUS, which kills the worker; reserving
    the space first turns it into an OSError for one series.
    """

    def __init__(self, filename: str) -> None:
        if not Path(filename).exists():
            new = Path(f"{filename}.new")  # a scrape must not read a file without a header
            with new.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, _FIRST_BYTES)
            new.rename(filename)
        try:
            super().__init__(filename)  # type: ignore[no-untyped-call]
        except _DAMAGED as error:
            self._f.close()
            raise OSError(f"cannot read {filename}: {error}") from error

    def _init_value(self, key: str) -> None:
        if self._used + len(key.encode()) + _ENTRY_BYTES > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
        super()._init_value(key)  # type: ignore[no-untyped-call]


class CounterFiles(Collector):
    """Counters of all workers of one instance.

    Build it after the fork, with PROMETHEUS_MULTIPROC_DIR set to ``folder``. No two living workers have one ``slot``. A
    new worker continues the values of the last one of its slot, so counters do not fall when a worker dies, and the
    number of files does not grow.
    """

    def __init__(self, folder: Path, slot: int) -> None:
        values.MmapedDict = _ReservedFile  # type: ignore[attr-defined,assignment]
        values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]
        self._folder = folder
        self._own = folder / f"counter_{slot}.db"
        self._known: dict[str, Counter | Gauge | Histogram] = {}
        self._lock = threading.Lock()

    def open(self, metric: Metric, name: str, labels: tuple[str, ...]) -> Write:
        """Return what counts one series. Raises OSError where the disk has no room for it."""
        with self._lock:
            found = self._known.get(name)
            if found is None:
                found = self._known[name] = _collector(metric, name)
            child = found.labels(*labels) if labels else found
        if isinstance(child, Histogram):
            return child.observe
        return child.set if isinstance(child, Gauge) else child.inc

    def collect(self) -> list[Family]:
        """Read the counters of all workers. Raises OSError where files are missing or damaged."""
        self._own.stat()
        try:
            return list(MultiProcessCollector(None, str(self._folder)).collect())  # type: ignore[no-untyped-call]
        except _DAMAGED as error:
            raise OSError(f"cannot read the counters in {self._folder}: {error}") from error


def _collector(metric: Metric, name: str) -> Counter | Gauge | Histogram:
    match metric.kind:
        case "counter":
            return Counter(name, metric.help, metric.labels, registry=None)
        case "histogram":
            return Histogram(name, metric.help, metric.labels, registry=None, buckets=metric.buckets)
        case "gauge":
            return Gauge(name, metric.help, metric.labels, registry=None, multiprocess_mode="mostrecent")
