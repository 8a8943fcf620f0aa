"""The name that is meant where one is written that there is not."""

import difflib
from collections.abc import Iterable

LONGEST = 50  # a name of ours; what is longer is compared by its beginning


def no_such_field(name: object, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(str(name)[:LONGEST].lower(), list(known), n=1)
    return f"There is no such field. Is {nearest[0]} meant?" if nearest else "There is no such field."
