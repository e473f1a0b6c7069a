"""How much of the contracts their tests run: `make coverage`. Prints it by file; ends with 1 below 98 % of lines or branches.

Libraries and contracts count, interfaces hold no code, and tests do not count. forge writes LCOV:
DA is a line and BRDA a side of a branch, each with how often it ran.
"""

import re
import subprocess
import sys
from pathlib import Path

CONTRACTS = Path(__file__).parents[1]
REPORT = CONTRACTS / "out" / "lcov.info"
LEAST = 0.98


def main() -> None:
    """Run forge and judge its report."""
    command = ["tools/forge", "coverage", "--report", "lcov", "--report-file", str(REPORT)]
    command += ["--no-match-path", "test/{gas,differential}/*", "--no-match-coverage", "test/|node_modules"]
    done = subprocess.run(command, cwd=CONTRACTS, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    totals = {"lines": [0, 0], "branches": [0, 0]}
    for record in REPORT.read_text().split("end_of_record\n")[:-1]:
        told = [record[record.index("SF:") + 3 : record.index("\n", record.index("SF:"))]]
        for what, pattern in (("lines", r"DA:(\d+),(\d+)"), ("branches", r"BRDA:(\d+),\d+,\d+,([-\d]+)")):
            ran = [(int(line), count not in "-0") for line, count in re.findall(pattern, record)]
            totals[what][0] += sum(hit for _, hit in ran)
            totals[what][1] += len(ran)
            missed = ", ".join(str(line) for line, hit in ran if not hit)
            told.append(f"{sum(hit for _, hit in ran)}/{len(ran)} {what}" + (f" (not {missed})" if missed else ""))
        print("  ".join(told))
    shares = {what: hit / whole for what, (hit, whole) in totals.items()}
    print("  ".join(f"{share:.1%} of {what}" for what, share in shares.items()))
    sys.exit(any(share < LEAST for share in shares.values()))


if __name__ == "__main__":
    main()
