"""Write the webhook payloads in ``examples/alerts/``, byte for byte in the format of Alertmanager 0.25.

Run ``python examples/make_alerts.py`` to write them beside this file, or with a folder as its argument to write them
there. The same call always gives the same bytes. The shape was checked against bodies captured from Alertmanager:
order of keys and of alerts, Go's JSON escapes, group keys, fingerprints.
"""  # noqa: INP001  (a script beside its data, not a package)

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote_plus

from alert_cases import CASES
from alert_groups import Case, Member

Labels = Mapping[str, str]

PROMETHEUS = "https://prometheus.butterfly.example.com"
ALERTMANAGER = "https://alertmanager.butterfly.example.com"
STILL_FIRING = "0001-01-01T00:00:00Z"  # Go's zero time: sent by Alertmanager for an alert without an end


def fingerprint(labels: Labels) -> str:
    """16 hex digits: FNV-1a 64 over the sorted labels, each as name, 0xff, value, 0xff (prometheus/common, model)."""
    value = 0xCBF29CE484222325
    for name in sorted(labels):
        for byte in name.encode() + b"\xff" + labels[name].encode() + b"\xff":
            value = ((value ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{value:016x}"


def go_quote(text: str) -> str:
    """The text as Go's ``strconv.Quote`` writes it, as in the label values of a group key."""
    short = {
        "\\": "\\\\",
        '"': '\\"',
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
    }
    return '"' + "".join(short.get(sign) or _go_sign(sign) for sign in text) + '"'


def _go_sign(sign: str) -> str:
    code = ord(sign)
    if sign.isprintable():
        return sign
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def group_key(route: str, labels: Labels) -> str:
    """``<route key>:{name="value", …}`` with the labels sorted (Alertmanager, dispatch.go)."""
    return route + ":{" + ", ".join(f"{name}={go_quote(labels[name])}" for name in sorted(labels)) + "}"


def shared(maps: Iterable[Labels]) -> dict[str, str]:
    """The entries common to all, sorted by name as Go writes maps."""
    first, *rest = maps
    return {name: first[name] for name in sorted(first) if all(other.get(name) == first[name] for other in rest)}


def encode(value: object) -> bytes:
    """JSON as Go's ``json.Encoder`` writes it: compact, ``<>&`` and line separators escaped, a newline at the end."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text.encode() + b"\n"


def _order(member: Member) -> tuple[object, ...]:
    job, instance = member.labels.get("job"), member.labels.get("instance")
    return (job is None, job or "", instance is None, instance or "", len(member.labels), sorted(member.labels.items()))


def _alert(member: Member) -> dict[str, object]:
    return {
        "status": "resolved" if member.ended else "firing",
        "labels": dict(sorted(member.labels.items())),
        "annotations": dict(sorted(member.annotations.items())),
        "startsAt": member.started,
        "endsAt": member.ended or STILL_FIRING,
        "generatorURL": f"{PROMETHEUS}/graph?g0.expr={quote_plus(member.expr)}&g0.tab=1" if member.expr else "",
        "fingerprint": fingerprint(member.labels),
    }


def body(case: Case) -> bytes:
    """The bytes that Alertmanager would post for the case.

    Status and common labels are taken from the alerts that ``max_alerts`` leaves, as Alertmanager does: a cut group may
    read "resolved" while an alert that was cut away still fires.
    """
    members = sorted(case.members, key=_order)
    kept = members[: case.max_alerts] if case.max_alerts else members
    grouped = {name: members[0].labels[name] for name in sorted(case.group_by) if name in members[0].labels}
    return encode(
        {
            "receiver": case.receiver,
            "status": "resolved" if all(member.ended for member in kept) else "firing",
            "alerts": [_alert(member) for member in kept],
            "groupLabels": grouped,
            "commonLabels": shared(member.labels for member in kept),
            "commonAnnotations": shared(member.annotations for member in kept),
            "externalURL": ALERTMANAGER,
            "version": "4",
            "groupKey": group_key(case.route, grouped),
            "truncatedAlerts": len(members) - len(kept),
        },
    )


def main(folder: Path) -> None:
    """Write every case into the folder, one file per case, and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        (folder / f"{case.name}.json").write_bytes(body(case))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).parent / "alerts")
