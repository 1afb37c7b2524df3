"""A Slurm of one machine: sbatch, squeue, srun and scontrol as far as job arrays need them.

`sbatch` keeps what it is given; `FakeSlurm.run_queue` does what the cluster does later: it runs
each array task by its script, in the order that dependencies allow, in an environment that holds
nothing but what the script itself sets.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_PROGRAMS = {
    "sbatch": """
import json, pathlib, sys
spool = pathlib.Path(__file__).parents[1] / "spool"
if (spool / "refuse").exists():
    sys.exit("sbatch: error: invalid partition specified")
script = pathlib.Path(sys.argv[-1]).read_text()
number = 100 + len(list(spool.glob("*.json")))
job = {"number": number, "script": script, "arguments": sys.argv[1:-1], "state": "PENDING"}
(spool / f"{number}.json").write_text(json.dumps(job))
print("Submitted batch job", number, "on cluster fake2")
""",
    "squeue": """
import json, pathlib, sys
spool = pathlib.Path(__file__).parents[1] / "spool"
asked = next(a for a in sys.argv if a.startswith("--jobs=")).partition("=")[2].split(",")
for file in sorted(spool.glob("*.json")):
    job = json.loads(file.read_text())
    if str(job["number"]) in asked and job["state"] == "PENDING":
        print(job["number"])
""",
    "srun": """
import os, sys
assert sys.argv[1:4] == ["-l", "-n", "1"], sys.argv
os.execvp(sys.argv[4], sys.argv[4:])
""",
    "scontrol": """
import sys
assert sys.argv[1:3] == ["show", "hostnames"], sys.argv
print(sys.argv[3])
""",
}


@dataclass
class Job:
    """One submitted array, as the queue knows it."""

    number: int
    script: str
    arguments: list[str]
    state: str

    @property
    def options(self) -> dict[str, str]:
        """What the script asks for: {"array": "0-5%2", ...}."""
        return dict(re.findall(r"^#SBATCH --([\w-]+)=?(.*)$", self.script, flags=re.MULTILINE))

    @property
    def after(self) -> list[int]:
        """The jobs that must have ended well before."""
        found = [a for a in self.arguments if a.startswith("--dependency=")]
        return [int(n) for a in found for n in re.findall(r"afterok:(\d+)", a)]


class FakeSlurm:
    """Programs in `bin`, to be put on PATH, and the queue behind them."""

    def __init__(self, folder: Path) -> None:
        self.bin, self.spool = folder / "bin", folder / "spool"
        self.bin.mkdir(parents=True)
        self.spool.mkdir()
        for name, source in _PROGRAMS.items():
            (self.bin / name).write_text(f"#!{sys.executable} -ES\n{source}")
            (self.bin / name).chmod(0o755)

    def jobs(self) -> list[Job]:
        """All that were ever submitted."""
        files = sorted(self.spool.glob("*.json"))
        return [Job(**json.loads(file.read_text())) for file in files]

    def run_queue(self) -> None:
        """Run what is pending; what depends on a failed job is cancelled."""
        ended = {job.number: job.state for job in self.jobs()}
        for job in self.jobs():
            if job.state != "PENDING":
                continue
            if all(ended[number] == "COMPLETED" for number in job.after):
                first, last = re.match(r"(\d+)-(\d+)", job.options["array"]).groups()
                codes = [self._run(job, index) for index in range(int(first), int(last) + 1)]
                job.state = "COMPLETED" if not any(codes) else "FAILED"
            else:
                job.state = "CANCELLED"
            ended[job.number] = job.state
            (self.spool / f"{job.number}.json").write_text(json.dumps(job.__dict__))

    def refuse(self) -> None:
        """Let sbatch take no more jobs."""
        (self.spool / "refuse").touch()

    def _run(self, job: Job, index: int) -> int:
        script = self.spool / f"{job.number}.sh"
        script.write_text(job.script)
        exported = next(a for a in job.arguments if a.startswith("--export="))
        said = job.options["output"].replace("%A", str(job.number)).replace("%a", str(index))
        with Path(said).open("w") as log:
            return subprocess.run(
                ["/bin/bash", script],
                cwd="/",
                env={
                    "PATH": f"{self.bin}:/usr/bin:/bin",
                    "HOME": os.environ.get("HOME", "/"),
                    "SLURM_JOB_ID": str(job.number),
                    "SLURM_ARRAY_JOB_ID": str(job.number),
                    "SLURM_ARRAY_TASK_ID": str(index),
                    "SLURM_NODELIST": "node1",
                    **dict(pair.split("=") for pair in exported.split(",")[1:]),
                },
                stdout=log,
                stderr=log,
                check=False,
            ).returncode
