held = bytearray()
while True:
    held += b"x" * 10_000_000
