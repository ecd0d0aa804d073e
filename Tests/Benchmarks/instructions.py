"""Instructions per call, counted by valgrind: unlike times they repeat, whatever else the machine does."""
import re
import shutil

from programs import OURS


def count(bench, endpoint, calls, flags, **options):
    """All instructions of a process that answers so many calls."""
    log = bench.folder / "valgrind.log"
    prefix = ["env", "SWIFT_DETERMINISTIC_HASHING=1", "valgrind", "--tool=callgrind", f"--log-file={log}",
              f"--callgrind-out-file={bench.folder}/callgrind.out"]
    figures = bench.drive(bench.command(OURS, "--allow-debug", *flags), endpoint, prefix=prefix, lockstep=1, count=calls, **options)
    if figures["failed"]:
        raise SystemExit(f"{figures['failed']} calls failed under valgrind")
    return int(re.search(r"Collected : (\d+)", log.read_text()).group(1))


def per_call(bench, endpoint):
    """The difference of two runs, so that the start does not count. {} without valgrind."""
    if not shutil.which("valgrind"):
        return {}
    # The fewer connections are made, the less their handshakes blur the count.
    one = ["--max-connections", "1"]
    shapes = {
        "cached": (64 * 20, 64 * 120, dict(window=64, keys=10, fresh=0, warm=10), one),
        "cachedOneAtATime": (200, 1_200, dict(window=1, keys=10, fresh=0, warm=10), one),
        "fetched": (32 * 5, 32 * 25, dict(window=32, warm=320), ["--max-connections", "4"]),
        "fetchedOneAtATime": (50, 350, dict(window=1, warm=10), one),
    }
    counts = {}
    for name, (few, many, options, flags) in shapes.items():
        difference = count(bench, endpoint, many, flags, **options) - count(bench, endpoint, few, flags, **options)
        counts[name] = round(difference / (many - few))
    counts["start"] = count(bench, endpoint, 1, [], window=1)
    return counts
