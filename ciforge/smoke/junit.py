"""smoke.json as JUnit XML, which GitLab shows in the merge request. Pure."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from ciforge.results.model import Check, Smoke, SuiteResult
from ciforge.smoke.judge import Outcome
from ciforge.text import escape


def junit(smoke: Smoke) -> bytes:
    """One testsuite per suite, one testcase per check. Control characters stand as `\\x1b`."""
    root = Xml.Element("testsuites", name="ciforge smoke")
    for suite in smoke.suites:
        _suite(root, suite)
    Xml.indent(root)
    return bytes(Xml.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _suite(root: Xml.Element, suite: SuiteResult) -> None:
    checks = suite.checks or [_stand_in(suite)]
    count = [check.outcome for check in checks].count
    element = Xml.SubElement(
        root,
        "testsuite",
        name=suite.suite,
        tests=str(len(checks)),
        failures=str(count("failed")),
        skipped=str(count("skipped")),
        time=f"{suite.seconds:.3f}",
    )
    for check in checks:
        case = Xml.SubElement(
            element,
            "testcase",
            classname=f"{suite.suite}.{check.subject}",
            name=escape(f"{check.subject}: {check.name}"),
            time=f"{check.seconds:.3f}",
        )
        if check.outcome == "skipped":
            Xml.SubElement(case, "skipped", message=escape(check.message))
        elif check.outcome == "failed":
            failure = Xml.SubElement(case, "failure", message=escape(check.message))
            failure.text = "\n".join(escape(line) for line in [check.message, *check.log])


def _stand_in(suite: SuiteResult) -> Check:
    """A suite without checks must not look as if it had not been there."""
    outcome: Outcome = "failed" if suite.verdict == "failed" else "skipped"
    return Check(name=suite.verdict, subject=suite.suite, outcome=outcome, message=suite.reason)
