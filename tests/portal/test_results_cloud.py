"""A result's page, files and images where the store is a bucket."""

import io
import shutil
import time
import zipfile
from pathlib import Path

from bedside.judging.judge import Sender
from clouds import Cloud
from portal_corrections import corrected, shifted
from portal_results import READING, TENANT, Made
from portal_site import site


def test_a_result_in_a_bucket_is_shown_and_given_as_from_a_folder(
    made_result: Made, tmp_path: Path, cloud: Cloud
) -> None:
    shutil.copytree(made_result.folder / "data", tmp_path / "data")
    settings = READING + f'\n[store]\nurl = "s3://{cloud.bucket()}/hospital"\n'
    page = f"/t/{TENANT}/results/{made_result.job_id}"
    api = f"/api/v1/tenants/{TENANT}/results/{made_result.job_id}"
    with site(tmp_path, settings) as opened:
        store = opened.deployment.blobs.tenant(TENANT)
        here = tmp_path / "data" / TENANT
        files = {path.relative_to(here).as_posix(): path for path in here.rglob("*") if path.is_file()}
        store.put_files(
            {key: path for key, path in files.items() if key.startswith(("results/", "arrivals/"))}
        )
        shutil.rmtree(here)
        client = opened.client
        assert "PHANTOM-1000" in client.get(page).text
        seg = client.get(f"{api}/files/dicom/seg.dcm").content
        part = client.get(f"{api}/files/dicom/seg.dcm", headers={"Range": "bytes=1000-1999"})
        assert (part.status_code, part.content) == (206, seg[1000:2000])
        with zipfile.ZipFile(io.BytesIO(client.get(f"{api}/archive.zip").content)) as packed:
            assert packed.testzip() is None and len(packed.namelist()) == 6
        for _ in range(200):
            answer = client.get(f"{api}/images")
            if answer.status_code != 202:
                break
            time.sleep(0.05)
        assert answer.json()["shape"] == list(made_result.phantom.array.shape)
        model = client.get(f"{api}/images/levels/0/0").content
        assert len(model) == made_result.phantom.array.size * 3

        # What a reviewer drew lies in the bucket too, and is shown and given from there.
        job = opened.deployment.ledger.job(TENANT, made_result.job_id)
        drawn = corrected(opened.deployment, job, Sender(subject="p-1", name="Pat"), edit=shifted)
        asked = {"version": drawn.id}
        while client.get(f"{api}/images", params=asked).status_code == 202:
            time.sleep(0.05)
        theirs = client.get(f"{api}/images/levels/0/0", params=asked).content
        images = 2 * made_result.phantom.array.size
        assert theirs[:images] == model[:images] and theirs[images:] != model[images:]
        alone = client.get(f"{api}/corrections/{drawn.id}", headers={"Range": "bytes=100-199"})
        with zipfile.ZipFile(io.BytesIO(client.get(f"{api}/archive.zip").content)) as packed:
            (entry,) = [name for name in packed.namelist() if "/corrections/" in name]
            assert packed.testzip() is None and packed.read(entry)[100:200] == alone.content
