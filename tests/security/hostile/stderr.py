import os

print('{"status": "SUCCESS"}')
while True:
    os.write(2, b"x" * 100)
