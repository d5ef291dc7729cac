"""Hostile runbooks and labels: nothing but marked, listed commands of the file itself is ever planned."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from responder.runbooks.command import CommandLine, HttpGet, Program, Scope
from responder.runbooks.document import parse, planned
from responder.runbooks.kubectl import KINDS, KubectlCall

SCOPE = Scope(namespace="shop", namespaces=frozenset({"shop"}), origins=frozenset({"cart:8080"}))
#: Lines of runbooks: fences that open, close and nest, tags, includes of several site generators, links, commands.
LINES = (
    '```sh {"name":"a","tag":"readonly"}',
    '```sh {"name":"b","tag":"mutating"}',
    '```sh {"tag":"readonly"',
    "```sh { tag=readonly }",
    '````sh {"tag":"readonly"}',
    '~~~bash {"tag":"readonly"}',
    "```sh",
    "```",
    "````",
    "~~~",
    '> ```sh {"tag":"readonly"}',
    '- ```sh {"tag":"readonly"}',
    '    ```sh {"tag":"readonly"}',
    "{% include ../../etc/passwd %}",
    '{{< include "/etc/passwd" >}}',
    '--8<-- "../secret.md"',
    "!include ../secret.md",
    "<!-- include: ../secret.md -->",
    "[x](../../secret.md)",
    "kubectl get pods -l app={{ service }}",
    "kubectl delete pods --all",
    "kubectl -n kube-system get secrets",
    "kubectl get pods/../secrets",
    "touch /tmp/owned",
    "$(touch /tmp/owned)",
    "responder health; touch /tmp/owned",
    "responder health {{ service }}",
    "curl http://cart:8080/../env",
    "curl http://{{ host }}/",
    "curl file:///etc/passwd",
    "dig {{ host }} +short",
    "# Step 1: {{ service }}",
    "",
)
VALUE = st.text(max_size=20) | st.sampled_from(
    [
        "--kubeconfig=/x",
        "$(id)",
        "a;b",
        "../../x",
        "cart\nkubectl delete ns shop",
        "evil.example.org",
        "-n",
        "{{ pod }}",
    ]
)


@given(st.lists(st.sampled_from(LINES), max_size=14), VALUE, VALUE)
@example([LINES[0], "kubectl get pods -l app={{ service }}", "```"], "cart", "cart")
@example([LINES[0], "touch /tmp/owned", "```"], "cart", "cart")
def test_only_marked_and_listed_commands_are_planned(lines: list[str], service: str, host: str) -> None:
    """No mix of fences, includes, links and label values adds a command, a word or an address to what is run."""
    text = "\n".join(lines)
    for each in planned(parse("x.md", text), {"service": service, "host": host}, SCOPE):
        assert text.count('"tag":"readonly"}') + text.count("{ tag=readonly }")
        if not isinstance(each.command, CommandLine):
            continue
        written = lines[each.line - 1]
        words = re.sub(r"\{\{ (\w+) \}\}", lambda found: {"service": service, "host": host}[found[1]], written)
        match each.command.action:
            case KubectlCall() as call:
                assert (call.namespace, call.kind in KINDS, call.verb) == ("shop", True, "get")
                assert written == "kubectl get pods -l app={{ service }}"
            case HttpGet() as get:
                assert get.url.startswith("http://cart:8080/")
            case Program(argv):
                assert " ".join(argv) == words.lstrip("> -")
                assert argv[0] in {"responder", "dig"}
                assert not any(word.startswith("-") or "/" in word for word in argv[1:])
