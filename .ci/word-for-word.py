#!/usr/bin/env python3
"""word-for-word.py FILE WORD: runs a page's commands word for word: every block marked `sh WORD`, in one bash. What a block
prints must be what the `text` block after it says, line by line; `…` stands for anything."""
import re
import subprocess
import sys
from pathlib import Path

PAGE, WORD = Path(sys.argv[1]), sys.argv[2]
BLOCK = re.compile(rf"^```sh {WORD}\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)
END = "--- the end of a block ---"


def alike(said, wanted):
    """Whether the output is what the README says."""
    patterns = [".*".join(map(re.escape, line.split("…"))) for line in wanted]
    return len(said) == len(patterns) and all(map(re.fullmatch, patterns, said))


blocks = BLOCK.findall(PAGE.read_text())
if len(blocks) < 2:
    sys.exit(f"{PAGE.name} has no blocks `sh {WORD}`")
# A person's shell has no `set -e`: what fails is seen in what is printed.
script = "".join(f"{commands}\necho '{END}'\n" for commands, _ in blocks)
ran = subprocess.run(["bash", "-u"], input=script, capture_output=True, text=True, timeout=300)
outputs = ran.stdout.split(END + "\n")
wrong = 0
for (commands, wanted), said in zip(blocks, outputs + [""] * len(blocks)):
    if alike(said.splitlines(), wanted.splitlines()):
        continue
    wrong += 1
    print(f"--- the block of {PAGE.name}\n{commands}--- should print\n{wanted}--- and printed\n{said}")
if ran.stderr.strip():
    wrong += 1
    print(f"--- on standard error\n{ran.stderr}")
if wrong:
    sys.exit(f"{PAGE.name}: {wrong} of {len(blocks)} blocks are not true")
print(f"{PAGE.name}: {len(blocks)} blocks `sh {WORD}` print what it says")
