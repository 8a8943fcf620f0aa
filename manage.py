#!/usr/bin/env python3
"""Django's command line with TeckoChecker's settings."""

import os
import sys

from customchecks.cli.main import process


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "teckochecker.settings")
    if (code := process(sys.argv)) is not None:  # our own commands: their help and completion do without Django
        sys.exit(code)
    from teckochecker import commandline

    commandline.run(sys.argv)


if __name__ == "__main__":
    main()
