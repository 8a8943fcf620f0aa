import errno

made = 0
try:
    while True:
        open(f"/work/{made}", "wb").close()
        made += 1
except OSError as error:
    print(errno.errorcode[error.errno], made)
