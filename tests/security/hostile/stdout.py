import sys

print('{"status": "SUCCESS"}')
while True:
    sys.stdout.write("x" * 65536)
