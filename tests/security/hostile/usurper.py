"""Fills the memory with what is nobody's, and with processes smaller than the launcher and as dear to the kernel."""

import os
import time

with open("/proc/self/oom_score_adj", "w") as file:
    file.write("500")
for folder, megabytes in (("/work", 250), ("/tmp", 120)):
    with open(f"{folder}/filler", "wb") as file:
        for _ in range(megabytes):
            file.write(b"x" * 1_000_000)
for _ in range(80):
    if os.fork() == 0:
        held = b"y" * 2_000_000
        time.sleep(60)
print('{"status": "SUCCESS"}', flush=True)
time.sleep(60)
