"""Whether the libtorch inside of nn~ has every operator that a file calls, with these arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from torchbend.export.check.findings import Finding, failure
from torchbend.export.check.program import OperatorCall, Program
from torchbend.export.check.schemas import (
    LIBTORCH,
    Schema,
    accepting,
    accepts,
    known,
    parse_schema,
    same_arguments,
    same_call,
)

__all__ = ["check_calls", "check_graphs", "name_methods"]


def check_calls(program: Program) -> list[Finding]:
    """The operators in the program's text: by name, and by how many arguments are given.

    All functions count, even those that no method calls: libtorch compiles all of them when it loads a file.
    """
    by_operator: dict[str, list[OperatorCall]] = {}
    for call in program.calls:
        if not accepting(call.operator, call.positional, call.keywords):
            by_operator.setdefault(call.operator, []).append(call)
    return [_refused(name, calls) for name, calls in by_operator.items()]


def check_graphs(
    schemas: Mapping[str, Iterable[str]], program: Program, told: Iterable[Finding] = ()
) -> list[Finding]:
    """The operators that a file's methods consist of, with everything that they call: by types of arguments.

    Args:
        schemas: the methods by the operator's schema, as this torch has it.
        program: the text, which tells how many arguments are given.
        told: what `check_calls` said; an operator is told once.
    """
    already = {finding.where for finding in told if finding.part == "operators"}
    used: dict[str, list[Schema]] = {}
    reached: dict[str, set[str]] = {}
    for text, methods in schemas.items():
        schema = parse_schema(text)
        used.setdefault(schema.name, []).append(schema)
        reached.setdefault(schema.name, set()).update(methods)
    found = []
    for name, overloads in used.items():
        calls = [call for call in program.calls if call.operator == name]
        wrong = [s for s in overloads if not same_arguments(s)] or _called_otherwise(overloads, calls)
        if wrong and name not in already:
            found.append(
                _told(name, f"{'; '.join(s.text for s in wrong)} in {', '.join(sorted(reached[name]))}")
            )
    return found


def _called_otherwise(overloads: list[Schema], calls: list[OperatorCall]) -> list[Schema]:
    """The schemas of which some call gives arguments that 2.5.1 does not take."""
    for call in calls:
        meant = [s for s in overloads if accepts(s, call.positional, call.keywords)]
        if meant and not any(same_call(s, call.positional, call.keywords) for s in meant):
            return meant
    return []


def name_methods(findings: Iterable[Finding], methods: Mapping[str, Iterable[str]]) -> list[Finding]:
    """The findings, with the methods that reach each operator.

    Args:
        findings: any.
        methods: by the operator's name.
    """
    named = []
    for finding in findings:
        reached = sorted(methods.get(finding.where, ())) if finding.part == "operators" else []
        if reached and "reached by" not in finding.got:
            finding = replace(finding, got=f"{finding.got}; reached by {', '.join(reached)}")
        named.append(finding)
    return named


def _refused(name: str, calls: list[OperatorCall]) -> Finding:
    places = ", ".join(dict.fromkeys(call.place for call in calls))
    given = ", ".join(dict.fromkeys(_given(call) for call in calls))
    return _told(name, f"{given} in {places}")


def _told(name: str, got: str) -> Finding:
    has = "; ".join(schema.text for schema in known(name))
    what = "this operator with other arguments" if has else "no such operator"
    return failure(
        "operators",
        name,
        f"libtorch {LIBTORCH} has {what}",
        has,
        got,
        "write it with older operators, or trace the module instead of scripting it",
    )


def _given(call: OperatorCall) -> str:
    names = f" and {', '.join(call.keywords)}" if call.keywords else ""
    return f"{call.positional} argument(s){names}"
