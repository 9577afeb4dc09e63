"""Timing-sensitive tests, again and again, while both cores are busy with something else: `make busy`.

What passes here does not wait for the clock on the wall: a test that does is found by its failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

TIMES = 20
BURNERS = 2
BURN_SECONDS = 3 * 3_600
"""Burners end by themselves after so long, also when nobody is left to end them."""
TESTS: Sequence[str] = (
    "tests/cli/test_start.py",
    "tests/faults/test_fake_homeserver.py",
    "tests/faults/test_stopping.py",
    "tests/network/test_channel_ends.py",
    "tests/network/test_clocks.py",
    "tests/network/test_streams.py",
    "tests/network/test_web_client.py",
    "tests/matrix/test_endpoint_bodies.py",
    "tests/matrix/test_homeserver_faults.py",
    "tests/matrix/test_push.py",
    "tests/sim/test_pump.py",
    "tests/sim/test_polling.py",
    "tests/store/test_lock.py",
    "tests/store/test_waking.py",
    "tests/web/test_public.py",
)
"""Where real time passes: sockets with time-outs, processes that start and stop, locks waited for."""
BURNER = (
    "import os, time\n"
    "end, parent = time.monotonic() + {seconds}, os.getppid()\n"
    "while time.monotonic() < end and os.getppid() == parent:\n"
    "    sum(range(100_000))\n"
)


def main(arguments: Sequence[str]) -> int:
    """Run the tests ``TIMES`` times, or those that are named; stop at the first failure."""
    burner = [sys.executable, "-c", BURNER.format(seconds=BURN_SECONDS)]
    burners = [subprocess.Popen(burner) for _ in range(BURNERS)]
    times = int(os.environ.get("TIMES") or TIMES)
    try:
        for number in range(1, times + 1):
            print(f"run {number} of {times}", flush=True)
            command = [sys.executable, "-m", "pytest", "-q", "-x", *(arguments or TESTS)]
            if code := subprocess.run(command, check=False).returncode:
                return code
    finally:
        for each in burners:
            each.kill()
            each.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
