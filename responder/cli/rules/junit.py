"""Test results as JUnit XML, for CI systems."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from responder.cli.rules.case_run import CaseResult
from responder.model.redaction import redact
from responder.model.text import clean


def junit(files: Mapping[Path, Sequence[CaseResult]]) -> str:
    """Format the results: a suite per file, failures with their differences, ``todo`` as skipped."""
    root = ET.Element("testsuites", name="responder rules test")
    for path, proofs in files.items():
        counts = {verdict: sum(proof.verdict == verdict for proof in proofs) for verdict in ("ok", "FAIL", "todo")}
        suite = ET.SubElement(
            root,
            "testsuite",
            name=path.as_posix(),
            tests=str(len(proofs)),
            failures=str(counts["FAIL"]),
            skipped=str(counts["todo"]),
        )
        for proof in proofs:
            case = proof.case
            element = ET.SubElement(
                suite, "testcase", name=clean(case.name), classname=path.stem, line=str(case.position.line)
            )
            if proof.verdict == "todo":
                ET.SubElement(element, "skipped", message="todo")
            elif proof.verdict == "FAIL":
                said = [proof.problem] if proof.problem else []
                said += [f"{each.field}: expected {each.expected!r}, got {each.got!r}" for each in proof.differences]
                said = list(map(redact, said))
                failure = ET.SubElement(element, "failure", message=clean("; ".join(said)))
                failure.text = clean("\n".join([str(case.position), *said]))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
