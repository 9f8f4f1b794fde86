"""Runs bundles with MONAI's own ``monai.bundle.run``, one after another in one process.

Called as ``python reference.py JOBS``, a JSON list of {bundle, config, dataset, output}.
"""

import json
import os
import sys
from pathlib import Path

import monai.bundle


def main(jobs: list[dict[str, str]]) -> None:
    for job in jobs:
        root = Path(job["bundle"])
        Path(job["output"]).mkdir(parents=True, exist_ok=True)
        os.chdir(root)
        sys.path.insert(0, str(root))
        monai.bundle.run(
            config_file=str(root / job["config"]),
            meta_file=str(root / "configs/metadata.json"),
            bundle_root=str(root),
            datalist=sorted(str(path) for path in Path(job["dataset"]).glob("*.nii*")),
            output_dir=job["output"],
        )


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
