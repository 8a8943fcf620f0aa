"""A worker to be killed: runs five sandboxes of the instance that it is told, until it dies.

Its one argument is the instance.
"""

import sys
import threading

from customchecks.sandbox import Sandbox
from tests.security import boxes

if __name__ == "__main__":
    sandbox = Sandbox(instance=sys.argv[1])
    for number in range(5):
        wanted = boxes.request("import time; time.sleep(300)", claim_id=f"claim-{number}", timeout_seconds=300)
        threading.Thread(target=lambda request: print(sandbox.run(request)), args=(wanted,)).start()
