import errno

BLOCK = b"x" * 1_000_000
for folder in ("/work", "/tmp", "/dev/shm", "/run/tecko"):
    written = 0
    try:
        with open(folder + "/full", "wb", buffering=0) as file:
            while True:
                written += file.write(BLOCK)
    except OSError as error:
        print(folder, errno.errorcode[error.errno], written // 1_000_000)
