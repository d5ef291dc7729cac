"""Objects by their owner, and workloads by the labels of their pods: looks ask for both again and again."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from responder.diagnose.cluster import objects
from responder.diagnose.cluster.objects import Object


def by_owner(found: Iterable[Object]) -> Mapping[str, tuple[Object, ...]]:
    """Return objects by the uid of their controlling owner, each in the order given."""
    owned: dict[str, list[Object]] = {}
    for each in found:
        if uid := objects.controller(each)[2]:
            owned.setdefault(uid, []).append(each)
    return {uid: tuple(each) for uid, each in owned.items()}


class Templates:
    """The workloads of one namespace, by the labels of their pods."""

    def __init__(self) -> None:
        self._known: list[tuple[Object, Mapping[str, str]]] = []
        self._by_label: dict[tuple[str, str], list[int]] = {}

    def add(self, workload: Object) -> None:
        """Add a workload; of equals the first one counts."""
        labels = objects.pairs(workload, "spec", "template", "metadata", "labels")
        for pair in labels.items():
            self._by_label.setdefault(pair, []).append(len(self._known))
        self._known.append((workload, labels))

    def __iter__(self) -> "Iterator[tuple[Object, Mapping[str, str]]]":
        return iter(self._known)

    def nearest(self, wanted: Mapping[str, str], name: str) -> Object | None:
        """Return the workload that carries most of these labels; if none carries one, that of the name."""
        fits: Counter[int] = Counter()
        for pair in wanted.items():
            fits.update(self._by_label.get(pair, ()))
        if fits:
            return self._known[max(fits, key=lambda number: (fits[number], -number))][0]
        named: Sequence[Object] = [each for each, _ in self._known if wanted and objects.name(each) == name]
        return named[0] if named else None
