"""The contract of a probe kind. To add one: a file in ``probes/``, a line in ``PROBES``, a contract case.

Shared parts of probes: ``plan.py`` finds the address of a check and refuses targets that are not allowed,
``make_finding.py`` builds findings.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Generic, TypeVar

from responder.diagnose.cluster.reader import SharedReads
from responder.model.clock import Clock, Deadline
from responder.model.finding import Finding, Origin
from responder.model.incident import Subject
from responder.model.report import IncidentContent
from responder.model.rule import ProbeSpec, Service
from responder.outgoing import Outgoing
from responder.outgoing.process import Launch
from responder.runbooks.document import RunbookSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Addresses of servers beside Prometheus, from the settings; empty if not set. Of Alertmanager those by cluster."""

    alertmanager: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    loki: str = ""
    loki_tenant: str = ""
    grafana: str = ""
    investigator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeContext:
    """Input of a probe: the alert's subject and start, the catalog, and the address of Prometheus.

    Addresses come from the catalog and the settings only. Values of ``subject`` are hostile: they only select from
    the catalog, or go through the builder for the language they end up in. ``cluster`` is True if the Kubernetes
    cluster of the alert can be read; ``elsewhere`` is the name of that cluster if access to another one is configured.
    ``runbook`` is the section that the rule links, as FILE#SECTION, of ``runbooks``.
    """

    subject: Subject
    services: Mapping[str, Service]
    prometheus_url: str
    began: datetime | None = None
    cluster: bool = False
    elsewhere: str = ""
    sources: Sources = field(default_factory=Sources)
    runbooks: RunbookSet = field(default_factory=RunbookSet)
    runbook: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeQuestion:
    """A planned check, complete and not yet run; ``dry-run`` prints it.

    ``target`` names what is checked, ``query`` is the query, fit to be pasted. ``skip`` says why it is skipped, empty
    if it is not. ``origin`` says where its answer comes from: the conclusion weighs it by this. ``wire`` is the kind's
    own input for ``run``. ``timeout`` is seconds. ``endpoint`` is the server that responds if it is not the target
    itself: a Prometheus, a host and port. ``priority`` is 0 for the subject of an incident and 1 for further members
    of its group: a higher number waits while all threads are busy.
    """

    probe: str
    kind: str
    target: str
    query: str
    timeout: float
    origin: Origin = Origin.OTHER
    link: str = ""
    skip: str = ""
    wire: Any = None
    endpoint: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTools:
    """Dependencies of a running probe. ``outgoing`` sends requests and opens connections.

    ``cluster`` reads the Kubernetes cluster; None if there is no access to one. ``pod_networks`` are those in which
    single pods may be asked for their health; none of them is asked if it is empty. ``programs`` are those that steps
    of runbooks may start, by name.
    """

    outgoing: Outgoing
    clock: Clock
    cluster: SharedReads | None = None
    pod_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    programs: Mapping[str, Launch] = field(default_factory=dict)


Spec = TypeVar("Spec")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeKind(Generic[Spec]):
    """A kind of probe, with the type of its own values in a rule file.

    ``spec`` is a frozen dataclass: its fields are the keys a rule file may give (checked with pydantic, unknown keys
    are problems). ``check`` returns the problems of a spec beyond its types, as sentences. ``questions`` is pure and
    never fails: a check that is not possible is skipped. ``run`` runs one: it returns by the deadline, raises
    nothing, and returns unknown if the check was not possible. An investigation returns several findings. ``opening``
    is the first bytes it sends over a connection, empty for none: a request that cannot change anything. ``of_group``
    is False if its calls are bounded for each page: it is then asked about the incident's subject only. ``about`` is
    set for a kind that is asked after the page has left: it returns the question with what is known of the incident.
    Its finding is no part of the page or the conclusion, and follows in the thread. ``of_runbooks`` is True for a kind
    that needs the runbooks: they are read only for such a one. ``setting`` is the setting without which there are no
    questions, empty for none.
    """

    name: str
    spec: type[Spec]
    check: Callable[[Spec], tuple[str, ...]]
    questions: Callable[[ProbeSpec[Spec], ProbeContext], tuple[ProbeQuestion, ...]]
    run: Callable[[ProbeQuestion, Deadline, ProbeTools], Finding | tuple[Finding, ...]]
    opening: bytes
    of_group: bool = True
    about: Callable[[ProbeQuestion, IncidentContent], ProbeQuestion] | None = None
    of_runbooks: bool = False
    setting: str = ""

    def findings(self, question: ProbeQuestion, deadline: Deadline, tools: ProbeTools) -> tuple[Finding, ...]:
        """Run a question. Returns its findings, one or several."""
        found = self.run(question, deadline, tools)
        return found if isinstance(found, tuple) else (found,)
