"""Tells the launcher without end that a child has ended."""

import os
import signal

for _ in range(20):
    if os.fork() == 0:
        break
while True:
    os.kill(1, signal.SIGCHLD)
