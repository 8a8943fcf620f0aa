"""A worker to be killed: runs five sandboxes of the instance that it is told, until it dies.

Its one argument is the instance.
"""

import sys
import threading

import django

django.setup()

from customchecks.sandbox.sandbox import Sandbox  # noqa: E402
from tests.security import boxes  # noqa: E402

if __name__ == "__main__":
    sandbox = Sandbox(instance=sys.argv[1])
    for number in range(5):
        wanted = boxes.request("import time; time.sleep(300)", claim_id=f"claim-{number}", timeout_seconds=300)
        threading.Thread(target=lambda request: print(sandbox.run(request)), args=(wanted,)).start()
