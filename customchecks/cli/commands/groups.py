"""``customcheck group create list show update restart test delete``: jobs that are waited for together."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customchecks.cli.commands.deliveries import print_due
from customchecks.cli.support import choices, declared_options, options, output, things
from customchecks.cli.support.declared_options import NONE, Given
from customchecks.cli.support.exit_codes import Invalid, NotFound, Usage, failing
from customchecks.cli.support.lazy_import import later
from polling.jobs.declared import GROUP
from polling.outbox.declared import WEBHOOK

if TYPE_CHECKING:
    from customchecks.cli.support import lookups
    from polling.jobs import group_changes, groups, members, registry, restart_effects, test_deliveries
    from polling.site import group_serializers
else:
    restart_effects = later("polling.jobs.restart_effects")
    group_serializers = later("polling.site.group_serializers")
    group_changes = later("polling.jobs.group_changes")
    groups = later("polling.jobs.groups")
    registry = later("polling.jobs.registry")
    lookups = later("customchecks.cli.support.lookups")
    members = later("polling.jobs.members")
    test_deliveries = later("polling.jobs.test_deliveries")

GROUPS = things.Thing(
    called="group",
    listed_by="group list",
    model=lambda: groups.JobGroup,
    shape=lambda group: dict(group_serializers.GroupWithAnswersSerializer(group).data),
)
COLUMNS = ("ID", "Name", "Status", "Rule", "Members", "Ended", "Deadline")

Group = Annotated[str, typer.Argument(metavar="GROUP", help="The group's number or name.")]
Name = Annotated[str | None, typer.Option(help="The group's name.")]
Members = Annotated[
    list[str] | None,
    typer.Option("--member", metavar="KIND:JOB", help="A job by number or name, such as custom:nightly. Repeatable."),
]
OfRule = Annotated[str | None, typer.Option("--rule", metavar="all|any|N", help="How many must end.  [default: all]")]
Deadline = Annotated[int | None, typer.Option(metavar="S", help="Seconds until it ends anyway.  [default: 7 days]")]
Status = Annotated[choices.Group | None, typer.Option(help="Only groups of this status.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="At most so many.")]
Offset = Annotated[int, typer.Option(min=0, metavar="N", help="Leave out the first so many.")]

OPTIONS = {**GROUP.options(), "members": "--member", "count": "--rule"}


@declared_options.setting(WEBHOOK)
def create(
    name: Name = None,
    member: Members = None,
    rule: OfRule = None,
    deadline: Deadline = None,
    given: Given = NONE,
    config: options.Config = None,
    user: options.User = None,
    as_json: options.Json = False,
) -> None:
    """Create a group and print its number. Jobs that have ended count.

    \b
    Examples:
      manage.py customcheck group create --name providers --member custom:gemini --member openai:3 \\
          --webhook-url https://hooks.example.com/done
      manage.py customcheck group create --config group.json --rule 2 --deadline 3600
    """
    data = _definition(given, member, rule, config=config, name=name, deadline_seconds=deadline)
    valid, wanted = group_serializers.split(data)
    made = options.valid(
        lambda: group_changes.create_group(valid, wanted=wanted, user=lookups.acting_user(user)), names=OPTIONS
    )
    GROUPS.created(made, as_json=as_json)


def list_groups(status: Status = None, limit: Limit = 100, offset: Offset = 0, as_json: options.Json = False) -> None:
    """List groups, oldest first.

    \b
    Example:
      manage.py customcheck group list --status active
    """
    rows = groups.JobGroup.objects.filter(**({"status": status} if status else {})).order_by("id")
    page = rows[offset : offset + limit]
    if as_json:
        shown = group_serializers.GroupSerializer(page, many=True).data
        output.document({"groups": shown, "total": rows.count(), "limit": limit, "offset": offset})
    else:
        found = members.states(members.GroupMember.objects.filter(group__in=list(page)))
        output.table(COLUMNS, [_row(each, found.get(each.pk, [])) for each in page])


def show(group: Group, as_json: options.Json = False) -> None:
    """Show one group with what is known of each member.

    \b
    Example:
      manage.py customcheck group show providers --json
    """
    GROUPS.show(GROUPS.find(group), as_json=as_json)


@declared_options.setting(WEBHOOK)
@options.keeps_the_rest
def update(
    group: Group,
    name: Name = None,
    member: Members = None,
    rule: OfRule = None,
    deadline: Deadline = None,
    given: Given = NONE,
    config: options.Config = None,
    user: options.User = None,
    as_json: options.Json = False,
) -> None:
    """Change what is named and nothing else; --member names all members that it has from now on.

    \b
    Example:
      manage.py customcheck group update providers --rule any
    """
    found = GROUPS.find(group)
    data = _definition(given, member, rule, config=config, name=name, deadline_seconds=deadline)
    valid, wanted = group_serializers.split(data)
    options.valid(
        lambda: group_changes.update_group(found, valid, wanted=wanted, user=lookups.acting_user(user)), names=OPTIONS
    )
    _tell(found, f"Changed group {found.pk}: {found.name}", as_json=as_json)


def restart(group: Group, yes: options.Yes = False, user: options.User = None, as_json: options.Json = False) -> None:
    """Wait for a group's jobs anew: those that have ended are restarted.

    Asks before, and names what is started or called again: Keboola jobs and webhooks.

    \b
    Examples:
      manage.py customcheck group restart providers
      manage.py customcheck group restart providers --yes
    """
    found = GROUPS.find(group)
    if not yes:
        options.confirm_calls(f"Restart group {found.pk} ({found.name})?", restart_effects.of_group(found))
    with failing(groups.GroupRefused):
        group_changes.restart_group(found, user=lookups.acting_user(user))
    _tell(found, f"Group {found.pk} ({found.name}) is {found.status}.", as_json=as_json)


def test(group: Group, as_json: options.Json = False) -> None:
    """Send a test to a group's webhook and print the delivery's id.

    \b
    Example:
      manage.py customcheck group test providers
    """
    with failing(test_deliveries.SendRefused):
        delivery = test_deliveries.send_group_test(GROUPS.find(group))
    print_due(delivery, as_json=as_json)


def delete(group: Group, yes: options.Yes = False, as_json: options.Json = False) -> None:
    """Delete a group. Its jobs stay; a call that is still owed is not made any more.

    \b
    Example:
      manage.py customcheck group delete providers --yes
    """
    GROUPS.delete(GROUPS.find(group), group_changes.delete_group, yes=yes, as_json=as_json)


def _definition(
    given: Given, member: Iterable[str] | None, rule: str | None, *, config: str | None, **columns: Any
) -> dict[str, Any]:
    """A group as the API takes it; what is None was not given."""
    data = declared_options.fields(groups.JobGroup, given, onto=options.read_config(config))
    data |= {column: value for column, value in columns.items() if value is not None}
    if member:
        data["members"] = [dict(zip(("kind", "id"), _key(word), strict=True)) for word in member]
    return data if rule is None else data | _rule(rule)


def _rule(word: str) -> dict[str, Any]:
    """Raises Invalid. What the API calls the rule ``count`` is a number here."""
    if word.isdecimal():
        return {"rule": groups.Rule.COUNT, "count": int(word)}
    if word not in (groups.Rule.ALL, groups.Rule.ANY):
        raise Invalid(f"rule (--rule): Value {word!r} is not a valid choice. Use all, any or a number.")
    return {"rule": word, "count": None}


def _key(word: str) -> "members.Key":
    """Of ``custom:7`` or ``custom:nightly``."""
    name, _, job = word.partition(":")
    known = {kind.kind: kind for kind in registry.job_kinds()}
    if name not in known or not job:
        raise Usage(f"--member: {word!r} is not KIND:JOB with a kind of {', '.join(sorted(known))}.")
    if job.isdecimal():
        return name, min(int(job), choices.LARGEST_ID)
    found = list(known[name].objects.filter(name=job).values_list("pk", flat=True)[:2])
    if not found:
        raise NotFound(f"There is no {name} job {job!r} (--member).")
    if len(found) > 1:
        raise Invalid(f"members (--member): several {name} jobs are named {job!r}: say which by number.")
    return name, found[0]


def _tell(group: "groups.JobGroup", sentence: str, *, as_json: bool) -> None:
    GROUPS.tell(groups.JobGroup.objects.get(pk=group.pk), sentence, as_json=as_json)


def _row(group: "groups.JobGroup", of_it: "list[members.Member]") -> tuple[object, ...]:
    rule = f"{group.count} of {len(of_it)}" if group.rule == groups.Rule.COUNT else group.rule
    ended = sum(member.ended for member in of_it)
    return group.pk, group.name, group.status, rule, len(of_it), ended, group.deadline_at


COMMANDS = (
    (create, "create"),
    (list_groups, "list"),
    (show, "show"),
    (update, "update"),
    (restart, "restart"),
    (test, "test"),
    (delete, "delete"),
)
