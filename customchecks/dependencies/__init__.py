"""Sets of dependencies: installed once for each set of manifests, then mounted read-only."""
