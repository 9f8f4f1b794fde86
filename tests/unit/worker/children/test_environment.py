"""What foreign code gets to see of the environment."""

from pathlib import Path

from bedside.worker.children.environment import scrubbed


def test_only_what_is_needed_to_compute_passes() -> None:
    given = {
        "PATH": "/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C",
        "LD_LIBRARY_PATH": "/usr/lib/cuda",
        "CUDA_VISIBLE_DEVICES": "0",
        "OMP_NUM_THREADS": "2",
        "HOME": "/home/someone",
        "TMPDIR": "/tmp",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SESSION_TOKEN": "x",
        "BEDSIDE_LEDGER_URL": "postgresql://u:x@h/d",
        "CUDA_API_KEY": "x",
        "DATABASE_URL": "x",
        "GITHUB_TOKEN": "x",
        "OMP_PASSWORD": "x",
        "PGPASSWORD": "x",
        "PYTHONPATH": "/somewhere",
        "SSH_AUTH_SOCK": "x",
    }
    assert scrubbed(given, home=Path("/private")) == {
        "PATH": "/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C",
        "LD_LIBRARY_PATH": "/usr/lib/cuda",
        "CUDA_VISIBLE_DEVICES": "0",
        "OMP_NUM_THREADS": "2",
        "HOME": "/private",
        "TMPDIR": "/private",
    }
