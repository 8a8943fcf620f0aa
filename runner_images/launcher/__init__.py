"""The main process of every sandbox container: takes one request on stdin, runs one script, answers with one frame.

It is PID 1, not dumpable, and guarded: the script, although it has the same uid, can neither signal it, nor open its
pipes or memory, nor change its limits or priority, and everything in the container ends with it. It ends as soon as its
stdin closes.

Every check pays for what it imports. Private modules are the C halves of ctypes, signal and hashlib, whose public
wrappers take 8 ms of CPU; json, pathlib and tarfile would take another 20. The images hold it compiled.
"""
