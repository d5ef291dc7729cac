"""Commands of runbooks: what may be run, and what is refused."""

import re
import shlex
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from responder.diagnose.cluster.reader import RESOURCES
from responder.runbooks.command import CommandLine, HttpGet, Program, Refusal, Scope, parse, split
from responder.runbooks.kubectl import KINDS, KubectlCall
from responder.runbooks.words import SLOT, Refused

SCOPE = Scope(
    namespace="butterfly",
    namespaces=frozenset({"butterfly"}),
    origins=frozenset({"plato:8080"}),
    prometheus=frozenset({"prometheus:9090"}),
)
VALUES = {"service": "plato", "pod": "plato-0", "namespace": "butterfly"}


def parsed(content: str, values: dict[str, str] | None = None) -> CommandLine | Refusal:
    """Parse a fence that begins in line 7."""
    return parse(content, 7, VALUES if values is None else values, SCOPE)


@pytest.mark.parametrize(
    ("content", "action"),
    [
        (
            "kubectl -n butterfly get pods -l app={{ service }} -o wide\n",
            KubectlCall("get", "Pod", (), "butterfly", {"-l": "app=plato", "-o": "wide"}),
        ),
        ("kubectl describe pod {{ pod }}", KubectlCall("describe", "Pod", ("plato-0",), "butterfly")),
        (
            "kubectl --namespace={{namespace}} logs '{{ pod }}' --previous --tail 50",
            KubectlCall("logs", "Pod", ("plato-0",), "butterfly", {"-p": "", "--tail": "50"}),
        ),
        (
            "kubectl rollout status deployment/{{ service }} --timeout=5s",
            KubectlCall("rollout status", "Deployment", ("plato",), "butterfly", {"--timeout": "5s"}),
        ),
        ("kubectl top nodes", KubectlCall("top", "Node", (), "butterfly")),
        (
            'curl -sSf -m 5 "http://{{ service }}:8080/actuator/health?a=1&b=2"',
            HttpGet("http://plato:8080/actuator/health?a=1&b=2", 5.0, fail=True),
        ),
        ("dig +short {{ service }}.butterfly A", Program(("dig", "+short", "plato.butterfly", "A"))),
        (
            "promtool query instant http://prometheus:9090 'up{service=\"{{ service }}\"}'",
            Program(("promtool", "query", "instant", "http://prometheus:9090", 'up{service="plato"}')),
        ),
        ("responder rules check", Program(("responder", "rules", "check"))),
    ],
)
def test_a_command_that_only_reads_is_understood(content: str, action: object) -> None:
    """Listed programs, subcommands and flags are read, with values filled in."""
    found = parsed(content)
    assert isinstance(found, CommandLine), found
    assert found.action == action


def test_the_namespace_is_forced() -> None:
    """A command without a namespace has that of the rules, and shows it."""
    found = parsed("kubectl get pods")
    assert isinstance(found, CommandLine)
    assert found.argv == ("kubectl", "--namespace=butterfly", "get", "pods")


REFUSED = {
    "kubectl get pods | wc -l": (18, "none"),
    "kubectl get pods; id": (17, "shell"),
    "kubectl get pods && id": (18, "shell"),
    "kubectl get pods > /etc/passwd": (18, "shell"),
    "kubectl get pods $(id)": (18, "shell"),
    'kubectl get pods "$(id)"': (19, "expanded"),
    "kubectl get pods `id`": (18, "shell"),
    "kubectl get pods\nid": (17, "more than one line"),
    "kubectl get pods\r\nid": (17, "U\\+000D"),
    "kubectl get pods \\\n -o wide": (18, "shell"),
    "kubectl get pods*": (17, "shell"),
    "cat <<EOF": (5, "shell"),
    "A=1 kubectl get pods": (1, "variable"),
    "kubectl get pods 'x": (20, "not closed"),
    "kubectl get pods \N{RIGHT DOUBLE QUOTATION MARK}x": (18, "U\\+201D"),
    "kubectl get pods \N{RIGHT-TO-LEFT OVERRIDE}x": (18, "U\\+202E"),
    "kubectl\N{NO-BREAK SPACE}get pods": (8, "U\\+00A0"),
    "bash -c id": (1, "program"),
    "/usr/bin/kubectl get pods": (1, "program"),
    "{{ service }} get pods": (1, "program"),
    "": (1, "empty"),
    "kubectl delete pod plato-0": (9, "delete"),
    "kubectl exec plato-0": (9, "exec"),
    "kubectl rollout undo deployment/plato": (9, "rollout undo"),
    "kubectl --kubeconfig=/x get pods": (9, "not allowed"),
    "kubectl get pods --server=http://x": (18, "--server"),
    "kubectl get pods --token x": (18, "--token"),
    "kubectl get pods --as=admin": (18, "--as"),
    "kubectl get --raw /api": (13, "--raw"),
    "kubectl get pods -A": (18, "-A"),
    "kubectl get pods -n kube-system": (18, "kube-system"),
    "kubectl get pods -n": (18, "needs a value"),
    "kubectl get pods -n butterfly -n butterfly": (31, "twice"),
    "kubectl get secrets": (13, "never read"),
    "kubectl get secret/x": (13, "never read"),
    "kubectl get cm": (13, "never read"),
    "kubectl get pods,secrets": (13, "kind"),
    "kubectl get all": (13, "kind"),
    "kubectl get pods -o yaml": (18, "yaml"),
    "kubectl get pods -o jsonpath=x": (18, "jsonpath"),
    "kubectl get pods ../../secrets": (18, "name"),
    "kubectl get pods/../x": (13, "name"),
    "kubectl logs": (1, "needs a pod"),
    "kubectl logs service/plato": (14, "not for"),
    "kubectl get pod plato-0 -l a=b": (25, "exclude"),
    "kubectl get pods -l 'a=b&x'": (18, "allowed"),
    "curl http://evil.example/": (6, "evil.example"),
    "curl http://169.254.169.254/latest": (6, "169.254"),
    "curl http://plato:8080@evil/": (6, "plain"),
    "curl file:///etc/passwd": (6, "plain"),
    "curl gopher://plato:8080/": (6, "plain"),
    "curl http://plato:8080/actuator/env": (6, "env"),
    "curl http://plato:8080/actuator/../env": (6, "plain"),
    "curl http://plato:8080/%2e%2e/x": (6, "plain"),
    "curl -o /tmp/x http://plato:8080/": (6, "-o"),
    "curl -X POST http://plato:8080/": (6, "-X"),
    "curl -d x http://plato:8080/": (6, "-d"),
    "curl -K x http://plato:8080/": (6, "-K"),
    "curl -sSo http://plato:8080/": (6, "-sSo"),
    "curl http://plato:8080/ http://plato:8080/": (25, "one address"),
    "curl --max-time soon http://plato:8080/": (6, "seconds"),
    "dig @8.8.8.8 plato": (5, "name"),
    "dig -f /etc/passwd": (5, "name"),
    "promtool query instant http://evil up": (24, "Prometheus"),
    "promtool check rules x": (10, "only use"),
    "responder serve": (11, "not a command"),
    "responder runbooks run x.md": (11, "not a command"),
    "responder messages resend 1": (11, "not a command"),
    "responder rules check /etc": (23, "no argument"),
    "kubectl logs {{ unknown }}": (14, "no value"),
}


@pytest.mark.parametrize("content", REFUSED)
def test_everything_else_is_refused_with_its_place(content: str) -> None:
    """Refuse anything for a shell, anything that changes something or leads elsewhere: why, and where."""
    column, reason = REFUSED[content]
    found = parsed(content)
    assert isinstance(found, Refusal), found
    assert (found.line, found.column) == (7, column), found
    assert re.search(reason, found.reason), found


@given(st.text(max_size=30) | st.text(st.sampled_from("-=/. a\n"), max_size=12))
@example("plato-0")
@example("--kubeconfig=x")
@example("plato\n")
def test_a_value_is_one_argument_and_never_a_flag(value: str) -> None:
    """A command has the arguments that the runbook wrote, or is refused, whatever a label holds."""
    for content, at in (("kubectl logs {{ pod }} --tail=5", 3), ("kubectl get pods -l app={{ pod }}", 5)):
        found = parsed(content, {"pod": value})
        if isinstance(found, Refusal):
            continue
        argv = found.argv
        assert len(argv) == 5 if at == 3 else len(argv) == 6
        assert argv[at] in {value, f"app={value}"}
        assert not value.startswith("-")
        assert "/" not in value


@given(st.text(st.sampled_from("kubectlgpods -=/.,'\"|&;<>$`\\*?[]{}#!~()\n\t\r\x00\x1bé"), max_size=60))
def test_splitting_agrees_with_a_shell(content: str) -> None:
    """An accepted command has, for a shell, the same words and nothing to expand."""
    try:
        words = [word.text for word in split(content)]
    except Refused:
        return
    assert words == shlex.split(SLOT.sub(r"'{{\1}}'", content.rstrip("\n")))
    unquoted = re.sub(r"'[^']*'|\"[^\"$`\\!]*\"|\{\{.*?\}\}", "", content)
    assert not set(unquoted) & set("|&;<>$`\\*?[]#!~()\r\x00\x1b")


_WORDS = (
    "kubectl curl responder promtool dig get describe logs top rollout status exec pods secrets nodes -n butterfly "
    "kube-system -o wide json -l app=x --tail=5 --kubeconfig=x --raw / http://plato:8080/ http://evil/ -sS query "
    "instant {{ service }} {{ namespace }} {{ x }} health serve ../x 'a b' $(id) | ;"
)


@given(st.lists(st.sampled_from(_WORDS.split()), max_size=8).map(" ".join))
def test_whatever_is_accepted_is_on_the_list(content: str) -> None:
    """No sequence of words leads to a process beyond the listed ones, or out of the namespace."""
    found = parsed(content)
    if isinstance(found, Refusal):
        return
    match found.action:
        case KubectlCall() as call:
            assert call.namespace == "butterfly"
            assert call.kind in KINDS
        case HttpGet() as get:
            assert get.url.startswith("http://plato:8080/")
        case Program() as program:
            assert program.argv[0] in {"responder", "promtool", "dig"}
            assert not {"serve", "exec"} & set(program.argv)


@pytest.mark.parametrize(
    "content", ["kubectl " + "a" * 5000, "'" * 1999, "{{ " * 600, "kubectl get pods " + "-l a=b " * 250]
)
def test_a_long_command_takes_no_time(content: str) -> None:
    """The work is linear in a text of bounded length."""
    began = time.process_time()
    assert isinstance(parsed(content), Refusal)
    assert time.process_time() - began < 0.5


def test_kinds_are_those_that_are_read() -> None:
    """Each kind that a command may name has a path in the reader, whose plural kubectl understands."""
    for kind, words in KINDS.items():
        assert words.split()[0] == RESOURCES[kind].plural
