"""Several jobs or groups may have one name; whoever makes the second is told, as a name no longer says which."""

from typing import Any


def warning(row: Any) -> str:
    """For a row of any model with a ``name``; empty where no other has it."""
    others = type(row)._default_manager.filter(name=row.name).exclude(pk=row.pk).order_by("pk")
    numbers = ", ".join(str(number) for number in others.values_list("pk", flat=True)[:5])
    return f"This name is already that of number {numbers}: say by number which one is meant." if numbers else ""


def headers(row: Any) -> dict[str, str]:
    """Of an answer: RFC 7234 lets a server warn without a change of the body. The text has nothing of a user's."""
    said = warning(row)
    return {"Warning": f'299 TeckoChecker "{said}"'} if said else {}
