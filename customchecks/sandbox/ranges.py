"""What one run of a script may take, and what it gets where nothing is said. The help of commands reads it too."""

from teckochecker.kit.ranges import Range

TIMEOUT_SECONDS = Range(10, 3600, 300)
MEMORY_MB = Range(64, 4096, 512)
CPU_CORES = Range(0.1, 4, 0.5)
