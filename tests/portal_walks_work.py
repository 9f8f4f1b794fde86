"""Walks through a portal at work with a browser that looks closely: studies and jobs in every state, rules,
releases, what died, what is refused, departments.

The site is `portal_at_work`'s.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from bedside.adapters.aws.events import JobHint
from bedside.domain.arrival import EntryState
from bedside.domain.job import JobState
from bedside.errors import Unavailable
from bedside.operate.replay import Line
from bedside.portal.operate.parts import Operating
from bedside.portal.shell.statics import FOLDERS
from bedside.ports import JobFilter
from clouds import Cloud
from portal_accounts import PASSWORD, Clinic, clinic, post
from portal_at_work import FULL
from portal_filled import EMAIL, EVERYTHING
from portal_looking import Looker, let_tell
from portal_results import TENANT, Made
from portal_serving import serving
from portal_site import SETTINGS

#: Rules that no study of a portal at work fulfils.
OTHERS = "[[rule]]\nname = 'none'\npipeline = 'spleen'\nwhen = \"Modality == 'MR'\"\n"


def work(look: Looker, ward: Clinic, made: Made) -> None:
    """Open a job in each state, with its study, what came in, and a list that goes on."""
    ledger = ward.deployment.ledger
    for state in JobState:
        (job,) = ledger.jobs(TENANT, JobFilter(states=frozenset({state})), limit=1)
        look.at(f"/t/{TENANT}/jobs/{job.id}")
    look.at(f"/t/{TENANT}/results/{ledger.result(TENANT, made.job_id).superseded_by}")
    look.at(f"/t/{TENANT}/judgements?verdict=remark")
    look.at(f"/t/{FULL}/jobs")
    look.press("[rel=next]")
    look.look()
    dead = ledger.jobs(TENANT, JobFilter(states=frozenset({JobState.DEAD})), limit=1)[0]
    look.at(f"/t/{TENANT}/studies/{dead.arrival_id}")
    look.at(f"/t/{TENANT}/upload")
    assert ledger.entries(TENANT, states=frozenset({EntryState.REJECTED}), limit=1)
    look.at(f"/t/{TENANT}/entries?state=rejected")
    look.go(f"/t/{TENANT}/studies")
    look.page.locator("form.search input[name=text]").fill("nobody")
    look.press("form.search button")
    look.look()


def departments(look: Looker) -> None:
    """Make a department, and end it, each with a mistake before."""
    look.go("/admin/tenants")
    look.fill(name="no such name!")
    look.press("main form button")
    look.look()
    look.go("/admin/tenants")
    look.page.locator("#above").select_option("ward-3")
    look.fill(name="north")
    look.press("main form button")
    look.look()
    look.at("/admin/tenants/ward-3")
    look.go("/admin/tenants/ward-3.north")
    for typed in ("ward-3/south", "ward-3/north"):
        look.page.locator(".ending").evaluate("each => { each.open = true; }")
        look.page.locator("[name=ending][value=remove]").check()
        look.fill(confirm=typed)
        look.press(".ending form button")
        look.look()
    for _ in range(100):
        look.go("/admin/tenants/ward-3.north")
        if not look.page.locator(".notice.warn[role=status]").count():
            break
    look.look()


def operating(look: Looker, ward: Clinic) -> None:
    """Try rules, replay them, let releases work, and send again what died."""
    look.go("/operate/rules")
    look.fill(attributes="Modality = CT\nSliceThickness = 2.5")
    tried(look)
    look.fill(rules="[[rule]]\nname = 'all'\npipeline = 'spleen'\n")
    tried(look)
    look.fill(rules="[[rule]]\nname = 'x'\n")
    tried(look)
    replays(look, ward)
    look.go("/operate/notices")
    look.press("main form button")
    look.look()
    look.go("/operate/releases")
    look.page.locator("main details:has(form) > summary").first.click()
    look.press("main form button")
    look.look()
    look.press("main .actions button")
    look.look()
    look.press("button[value=promote]")
    look.look()
    look.go("/operate/dead")
    look.press("main section form button.second")
    look.look()
    look.press("main .actions button")
    look.look()


def tried(look: Looker) -> None:
    """Try rules, and look at what they say; the page brings it in without leaving."""
    with look.page.expect_response(lambda answer: answer.url.endswith("/operate/rules/test")):
        look.page.locator("#try-button").click()
    look.page.wait_for_selector("#tried > *")
    look.look()


def replays(look: Looker, ward: Clinic) -> None:
    """Look at a replay that found something, one that runs, one that was stopped and one that failed."""
    look.go("/operate/rules")
    look.fill(rules=OTHERS)
    look.press("button[formaction]")
    look.page.wait_for_selector("#replay:not([hx-get])")
    look.look()
    rao = ward.people.accounts.by_email(EMAIL)
    assert rao is not None
    parts: Operating = ward.app.state.operating
    go_on = threading.Event()

    def slow(tell: Callable[[int], None]) -> Iterator[Line]:
        tell(1)
        go_on.wait(60)
        tell(2)
        yield from ()

    def broken(tell: Callable[[int], None]) -> Iterator[Line]:
        tell(1)
        raise Unavailable("store: it does not answer")

    for change in (slow, broken):
        task = parts.replays.begin(
            change, owner=rao.id, total=3, now=ward.deployment.clock.now(), rules_text=OTHERS
        )
        look.at(f"/operate/rules/replays/{task.id}")
        if change is slow:
            look.press("#replay form button")
            go_on.set()
            look.page.wait_for_selector("#replay:not([hx-get])")
            look.look()
    look.at("/operate/rules")


def refused(look: Looker, ward: Clinic) -> None:
    """Ask for what there is not, or what one may not, and send what cannot be understood."""
    look.at("/nothing", status=404)
    look.at("/operate/dead?sent=many", status=422)
    look.at(f"/t/{TENANT}/jobs?since=yesterday", status=400)
    look.at(f"/t/{TENANT}/judgements?verdict=no", status=422)
    look.go("/me")
    look.page.locator("form[action='/me'] [name=csrf]").evaluate("field => { field.value = 'of-yesterday'; }")
    look.press("form[action='/me'] button")
    look.look(refused=True)
    look.sign_out()
    ward.account("val", post("viewer", TENANT), language="")
    look.sign_in("val@ward.example", PASSWORD)
    look.look()
    look.at("/operate", status=403)
    look.at("/admin/people", status=403)
    look.at(f"/t/{TENANT}/judgements")
    ward.account("eng", post("engineer", TENANT), language="")
    look.sign_out()
    look.sign_in("eng@ward.example", PASSWORD)
    (running,) = ward.deployment.ledger.jobs(TENANT, JobFilter(states=frozenset({JobState.RUNNING})), limit=1)
    for part in ("jobs", f"jobs/{running.id}", "studies", f"studies/{running.arrival_id}"):
        look.at(f"/t/{TENANT}/{part}")
    ward.account("wim", language="")
    look.sign_out()
    look.sign_in("wim@ward.example", PASSWORD)
    look.look()


def without_ohif(look: Looker, made: Made, empty: Path) -> None:
    """Open what needs a viewer that was not brought."""
    with mock.patch.dict(FOLDERS, vendor=empty):
        look.at(f"/t/{TENANT}/results/{made.job_id}/images", status=503)


@contextmanager
def with_dead_letters(folder: Path, cloud: Cloud) -> Iterator[str]:
    """Open a portal on AWS with a dead letter in its queue; give its address."""
    queue, sqs = cloud.queue(attempts=1), cloud.client("sqs")
    sqs.send_message(
        QueueUrl=queue, MessageBody=JobHint(tenant="ward-3", job="3f2a81c0", pool="default").body()
    )
    for _ in range(2):
        sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)
    more = f'[store]\nurl = "s3://{cloud.bucket()}"\n\n[queue]\nurl = "{queue}"\ndead_url = "{queue}-dead"\n'
    with clinic(folder, SETTINGS + more) as opened:
        opened.account("rao", *EVERYTHING, language="")
        let_tell(opened.app)
        with serving(opened.app) as url:
            yield url


def letters(look: Looker) -> None:
    """Look at dead letters, and send them back."""
    look.sign_in(EMAIL, PASSWORD)
    look.at("/operate/dead?letters=true")
    look.press("section:has(#letters) form button")
    look.look()
    look.press("main .actions button")
    look.look()
