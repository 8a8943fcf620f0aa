"""Whether the job's Python is one that a manifest wants."""

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from customchecks.manifests.manifest import ManifestRefused, shown

_PATCHES = (0, 99)  # of the runtime's Python only the first two numbers are known


def check(wanted: object, *, where: str, python: str) -> None:
    """``python`` is such as "3.11". Raises ManifestRefused."""
    if not wanted:
        return
    try:
        specifiers = SpecifierSet(str(wanted)[:200])
    except InvalidSpecifier:
        raise ManifestRefused(f"{where}: {shown(str(wanted))} is no version of Python.") from None
    if not any(specifiers.contains(f"{python}.{patch}") for patch in _PATCHES):
        raise ManifestRefused(
            f"{where} wants Python {shown(str(wanted))}, and the job's runtime has Python {python}. Choose another"
            " script_runtime (--runtime), or change that line."
        )
