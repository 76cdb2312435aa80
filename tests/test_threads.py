"""How many threads to use: the cores of the process, the quota of its container, and what the user asks for."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from qhn import threads
from qhn.threads import cpu_quota, num_cores


def files(root: Path, contents: dict[str, str]) -> Path:
    for name, content in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return root


V1, V2 = "4:cpu,cpuacct:/docker/abc\n3:cpuset:/\n", "0::/user.slice/run.scope\n"


@pytest.mark.parametrize(
    ("contents", "quota"),
    [
        ({}, math.inf),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, math.inf),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/user.slice/run.scope/cpu.max": "20000 100000"}, 0.2),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/user.slice/cpu.max": "300000 100000"}, 3.0),
        ({"proc/self/cgroup": V2, "sys/fs/cgroup/unified/user.slice/cpu.max": "300000 100000"}, 3.0),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000\n",
            },
            2.5,
        ),
        (  # as a container sees its own group
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            math.inf,
        ),
        ({"proc/self/cgroup": "nonsense\n\x00", "sys/fs/cgroup/cpu.max": ""}, math.inf),
    ],
)
def test_the_quota_of_a_container_is_that_of_its_narrowest_group(
    contents: dict[str, str], quota: float, tmp_path: Path
) -> None:
    assert cpu_quota(files(tmp_path, contents)) == quota


@pytest.mark.parametrize(
    ("quota", "wanted", "cores"),
    [(math.inf, "", 8), (0.2, "", 1), (2.5, "", 3), (100.0, "", 8), (4.0, "2", 2), (2.0, "6", 2), (4.0, "0", 1)],
)
def test_as_many_threads_as_cores_quota_and_user_allow(
    quota: float, wanted: str, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    monkeypatch.setattr(threads, "cpu_quota", lambda: quota)
    monkeypatch.setenv("OMP_NUM_THREADS", wanted)
    assert num_cores() == cores
