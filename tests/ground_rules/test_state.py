"""The columns that hold a job's state are written in two modules: by what people ask for, and by what checks answer."""

import ast
from collections.abc import Iterator

import pytest

from tests.ground_rules.code import Source, product

HOMES = ("polling/jobs/scheduling.py", "polling/jobs/claims.py")
COLUMNS = frozenset(
    {
        "status",
        "failure_cause",
        "next_check_at",
        "next_check_in",
        "next_check_id",
        "claim_id",
        "claimed_until",
        "completed_at",
        "cycle",
        "check_count",
        "consecutive_errors",
        "deadline_at",
        "alerting",
        "alert_count",
    }
)
# A delivery has a status and a lease of its own, a batch a status and an end, a group a status and cycles
OWN_COLUMNS = {
    "polling/outbox/deliveries.py": {"status", "claimed_until"},
    "polling/openai/batches.py": {"status", "completed_at"},
    "polling/jobs/groups.py": {"status", "failure_cause", "cycle", "deadline_at", "completed_at"},
}
WRITING_CALLS = frozenset({"update", "bulk_update", "update_or_create"})


def writes(source: Source) -> list[str]:
    columns = COLUMNS - OWN_COLUMNS.get(source.path, set())
    return [f"{source.where(node)} writes {name}" for name, node in _written(source.tree) if name in columns]


def _written(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.attr, node
        elif isinstance(node, ast.Call) and _name(node.func) in WRITING_CALLS:
            yield from ((keyword.arg or "", node) for keyword in node.keywords)
            # Names of columns in the lists and dictionaries that the call is given
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                yield from ((word, node) for word in _words(argument))
        elif isinstance(node, ast.Call) and _name(node.func) == "setattr" and len(node.args) > 1:
            yield from ((word, node) for word in _words(node.args[1]))


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _words(node: ast.AST) -> Iterator[str]:
    parts: list[ast.expr | None] = [node] if isinstance(node, ast.expr) else []
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        parts = list(node.elts)
    elif isinstance(node, ast.Dict):
        parts = list(node.keys)
    yield from (part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


@pytest.mark.parametrize("source", [s for s in product() if s.path not in HOMES], ids=lambda source: source.path)
def test_only_the_scheduling_writes_a_jobs_state(source: Source) -> None:
    assert writes(source) == []


@pytest.mark.parametrize(
    "text",
    [
        "job.status = 'completed'",
        "job.cycle += 1",
        "Job.objects.filter(pk=1).update(next_check_at=None)",
        "Job.objects.bulk_update(jobs, ['claim_id'])",
        "Job.objects.update_or_create(pk=1, defaults={'completed_at': now})",
        "setattr(job, 'claimed_until', None)",
    ],
)
def test_the_rule_sees_a_write(text: str) -> None:
    assert len(writes(Source("polling/x.py", text))) == 1


@pytest.mark.parametrize("text", ["status = job.status", "Job(status='active')", "jobs.filter(cycle=1)"])
def test_the_rule_leaves_reading_alone(text: str) -> None:
    assert writes(Source("polling/x.py", text)) == []
