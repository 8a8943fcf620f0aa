"""Settings of uv in a project or a script: what changes which packages are meant is followed through a lock only."""

from customchecks.manifests.manifest import ManifestRefused

HARMLESS = frozenset(
    {
        *("managed", "package", "dev-dependencies", "default-groups", "required-version", "environments"),
        *("required-environments", "cache-dir", "cache-keys", "compile-bytecode", "link-mode", "native-tls"),
        *("python-preference", "python-downloads", "preview", "concurrent-builds", "concurrent-downloads"),
        *(
            "concurrent-installs",
            "offline",
            "workspace",
            "publish-url",
            "check-url",
            "keyring-provider",
            "build-backend",
        ),
    }
)


def check(settings: object, where: str, *, lock: str) -> None:
    """Raises ManifestRefused."""
    for name, value in settings.items() if isinstance(settings, dict) else ():
        if name not in HARMLESS and value:
            raise ManifestRefused(f"{where}: [tool.uv] {name} is followed through a lock only. Run {lock}, and add it.")
