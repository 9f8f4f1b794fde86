"""Proves a deployment by a phantom's way through it: into the drop-box, to a machine, to a result.

Owns the waiting and the words for where it stopped. It only lists the bucket, and reads the ledger where
that can be reached, so that whoever deploys needs no right to read a study. What it put there, and what
came of it, is removed afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bedside.deploy.phantom_study import PhantomStudy
from bedside.deploy.verdict import Plan, Reached, Seen, Verdict, stopped, words
from bedside.domain.arrival import EntryState, entry_id, fingerprint
from bedside.domain.job import Failure, JobState
from bedside.domain.result import RESULT_FILE
from bedside.errors import Unavailable
from bedside.ports import Clock, JobFilter, Ledger
from bedside.ports.cloud import Cloud

POLL_S = 5.0
#: After a result its input still leaves the drop-box; removed before, it would be missed there.
SETTLE_S = 60.0
_INPUT, _ARRIVALS, _RESULTS, _INFERRED, _REJECTED = "input", "arrivals", "results", "inferred", "rejected"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """One phantom on its way.

    Attributes:
        cloud: The deployment's account and region.
        clock: The time.
        plan: What is to be proved.
        study: The phantom.
        ledger: Of the deployment; None where it cannot be reached from here.
    """

    cloud: Cloud
    clock: Clock
    plan: Plan
    study: PhantomStudy
    ledger: Ledger | None = None

    def run(self, tell: Callable[[str], None]) -> Verdict:
        """Send it, wait, and clean up.

        Args:
            tell: Takes what is waited for, in words.
        """
        began = self.clock.monotonic()
        key = f"{_INPUT}/{self.study.name}"
        tell(f"sending a phantom of {len(self.study.files)} slices")
        self.cloud.upload(self.plan.bucket, self._object(key), self.study.path)
        # Empty where a machine was faster than this look: without the entry's id the rest tells enough.
        sent = self.cloud.listed(self.plan.bucket, self._object(key))
        parts = [(key, blob.size_bytes, blob.modified_at) for blob in sent]
        entry = entry_id(self.plan.tenant, key, fingerprint(parts)) if parts else ""
        verdict: Verdict | None = None
        try:
            verdict = self._wait(entry, began, tell)
        finally:
            # What a machine may be working on stays: its files gone, the job would fail and raise an alarm.
            if verdict is None or verdict.reached is not Reached.TAKEN or verdict.ok:
                self._clean(entry)
        return verdict

    def _wait(self, entry: str, began: float, tell: Callable[[str], None]) -> Verdict:
        done: float | None = None
        while True:
            now = self.clock.monotonic()
            seen = self._look(entry)
            waited_s = now - began
            if seen.files and done is None:
                done = now
            if seen.files and (seen.settled or now - (done or now) >= SETTLE_S):
                return Verdict(
                    ok=True,
                    reached=Reached.READ,
                    text=f"verified: the phantom was read, {len(seen.files)} files of its result are there",
                    files=seen.files,
                    waited_s=waited_s,
                )
            if ended := self._ended(seen, waited_s):
                return ended
            if waited_s >= self.plan.patience_s and not seen.files:
                return stopped(seen, self.plan, waited_s)
            tell(words(seen))
            self.clock.sleep(POLL_S)

    def _ended(self, seen: Seen, waited_s: float) -> Verdict | None:
        if seen.rejected:
            return Verdict(
                ok=False,
                reached=Reached.REJECTED,
                text=f"the phantom was rejected: {seen.failed or 'the log of the machine says why'}",
                hint="bedside deploy logs --part workers --filter entry.rejected",
                waited_s=waited_s,
            )
        if seen.taken and not self.plan.reads:
            return Verdict(
                ok=True,
                reached=Reached.TAKEN,
                text="a machine came and took the phantom in; reading was not verified",
                waited_s=waited_s,
            )
        if seen.settled and not seen.files:
            why = seen.failed or "no rule started a job for it, or its job failed"
            return Verdict(
                ok=False,
                reached=Reached.UNREAD,
                text=f"the phantom was taken in, and there is no result: {why}",
                hint=f"bedside deploy logs --part workers --filter {seen.job or self.study.arrival}",
                waited_s=waited_s,
            )
        return None

    def _look(self, entry: str) -> Seen:
        # In this order: what leaves one place is in the next by the time that is listed.
        rejected = bool(entry) and self._has(f"{_REJECTED}/{entry}/")
        settled = bool(entry) and self._has(f"{_INFERRED}/{entry}/")
        taken = self._has(f"{_ARRIVALS}/{self.study.arrival}/")
        files = self._files()
        depth = self.cloud.depth(self.plan.queue_url)
        groups = [self.cloud.group(name) for name in self.plan.groups]
        doing, failed, job = self._told(entry)
        return Seen(
            taken=taken,
            settled=settled,
            rejected=rejected,
            files=files,
            messages=depth.visible + depth.in_flight + depth.delayed,
            wanted=sum(group.desired for group in groups),
            working=sum(group.in_service for group in groups),
            doing=doing,
            failed=failed,
            job=job,
        )

    def _files(self) -> tuple[str, ...]:
        """Return the files of the first result that is whole, by their paths in it."""
        prefix = self._object(f"{_RESULTS}/{self.study.arrival}/")
        keys = [blob.key for blob in self.cloud.listed(self.plan.bucket, prefix)]
        whole = next((key.removesuffix(RESULT_FILE) for key in keys if key.endswith(f"/{RESULT_FILE}")), None)
        if whole is None:
            return ()
        return tuple(key.removeprefix(whole) for key in keys if key.startswith(whole))

    def _told(self, entry: str) -> tuple[str, str, str]:
        """Return what the ledger says: what is done now, what failed, and which job it is."""
        if self.ledger is None:
            return "", "", ""
        try:
            known = self.ledger.entry(self.plan.tenant, entry) if entry else None
            where = JobFilter(arrival_id=self.study.arrival)
            jobs = self.ledger.jobs(self.plan.tenant, where)
        except Unavailable:
            return "", "", ""  # the bucket says enough
        if not jobs:
            refused = known is not None and known.state is EntryState.REJECTED
            return "", known.reason if known and refused else "", ""
        job = min(jobs, key=lambda job: job.state is JobState.SUCCEEDED)
        failure: Failure | None = job.failure
        doing = f"its job is {job.state.value}, {job.progress:.0%}"
        return doing, failure.message if failure else "", job.id

    def _has(self, key: str) -> bool:
        return bool(self.cloud.listed(self.plan.bucket, self._object(key)))

    def _object(self, key: str) -> str:
        """Return a tenant's key as the bucket has it: area first (decision 100)."""
        area, _, rest = key.partition("/")
        return f"{area}/{self.plan.tenant}/{rest}"

    def _clean(self, entry: str) -> None:
        made = [f"{_INPUT}/{self.study.name}"]
        if entry:
            made += [f"{_INFERRED}/{entry}/", f"{_REJECTED}/{entry}/"]
        made += [f"{area}/{self.study.arrival}/" for area in (_RESULTS, _ARRIVALS)]
        made += [file.key for file in self.study.files]
        for key in made:
            self.cloud.empty_bucket(self.plan.bucket, self._object(key))
