"""What scripts need beside themselves: installed once for each set of manifests, then mounted read-only.

``manifests`` finds and checks what is asked for, ``installation`` installs it in a container of its own, ``store``
sees to it that this happens once, and ``eviction`` makes room.
"""
