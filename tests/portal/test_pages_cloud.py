"""Every page where the store is a bucket and the ledger PostgreSQL, as on AWS."""

from pathlib import Path

import pytest

from bedside.phantom import make_phantom
from bedside.phantom.study import write_study
from clouds import Cloud
from portal_accounts import clinic, post
from portal_filled import pages, work
from portal_results import READING, SEED, SHAPE, SPACING_MM, TENANT, Made, read
from services import PostgresServer
from strange import House
from strange_things import MINDED, VALUES


@pytest.mark.needs("initdb", "pg_ctl")
def test_every_page_opens_over_a_bucket_and_postgresql(
    tmp_path: Path, cloud: Cloud, postgres: PostgresServer
) -> None:
    places = f'[store]\nurl = "s3://{cloud.bucket()}/hospital"\n[ledger]\nurl = "{postgres.database()}"\n'
    phantom = make_phantom(SEED, shape=SHAPE, spacing_mm=SPACING_MM)
    files = write_study(tmp_path / "study", phantom, seed=SEED)
    with clinic(tmp_path, READING + places) as opened:
        inbox = opened.deployment.blobs.tenant(TENANT)
        inbox.put_files({f"input/study/{file.name}": file for file in files})
        opened.deployment.intake.step(TENANT)
        (job,) = read(opened.deployment)
        work(opened, job.id)
        made = Made(
            folder=tmp_path,
            phantom=phantom,
            job_id=job.id,
            arrival_id=job.arrival_id,
            study_uid=job.subject,
        )
        _, invitation = opened.people.invitations.invite("new@x.example", [post("viewer", TENANT)], by=None)
        somebody = opened.people.accounts.by_email("lin@ward.example")
        assert somebody is not None
        found = pages(made, account=somebody.id, invitation=invitation)
        browser = opened.sign_in("rao")
        answers = {address: browser.get(address) for path, address in found.items() if path != "/sign-in"}
        assert {at: answer.status_code for at, answer in answers.items() if answer.status_code != 200} == {}
        assert all(answer.text.startswith("<!doctype html>") for answer in answers.values())
        assert "PHANTOM-1000" in answers[f"/t/{TENANT}/results/{job.id}"].text
        assert job.id[:12] in answers[f"/t/{TENANT}/jobs"].text
        assert not (tmp_path / "data" / TENANT / "results").exists(), "it is in the bucket alone"
        house = House(opened=opened, made=made, values={name: VALUES[name] for name in MINDED})
        assert house.pages(also_scripts=True) == []
        assert house.forms() == []
