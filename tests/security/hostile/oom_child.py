import subprocess
import sys

subprocess.run([sys.executable, "-c", "held = bytearray()\nwhile True: held += b'x' * 10_000_000"])
print('{"status": "SUCCESS"}')
