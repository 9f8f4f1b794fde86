"""Who may do what in a whole deployment, where signatures, TLS and policies are checked.

Each role's own policies, as the modules wrote them, decide over requests that are really made; only who may
put the role on is widened, since no machine, function or HealthImaging is there to do so.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from guarded_site import Guarded, Told
from leftovers import SERVICES
from terraform import Underway
from wishes import DATASTORE, NAME

pytestmark = [pytest.mark.needs("terraform"), pytest.mark.timeout(400)]

_REFUSALS = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}


def _refused(asked: Callable[[], object]) -> bool:
    """Tell whether a permission is missing; any other error is about what was asked, so it was permitted."""
    try:
        asked()
    except ClientError as error:
        return error.response["Error"]["Code"] in _REFUSALS
    return False


def _refusals(**asked: Callable[[], object]) -> set[str]:
    return {name for name, each in asked.items() if _refused(each)}


def _put(s3: Any, bucket: str, key: str) -> Callable[[], object]:
    return partial(s3.put_object, Bucket=bucket, Key=key, Body=b"x")


def _get(s3: Any, bucket: str, key: str) -> Callable[[], object]:
    return partial(s3.get_object, Bucket=bucket, Key=key)


def _list(s3: Any, bucket: str, prefix: str) -> Callable[[], object]:
    return partial(s3.list_objects_v2, Bucket=bucket, Prefix=prefix)


def test_a_second_plan_has_nothing_to_do(guarded: Guarded) -> None:
    done = guarded.terraform.run("plan", "-detailed-exitcode", "-input=false", check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-3000:]


def test_who_made_it_may_make_nothing_of_another_name_and_read_no_study(guarded: Guarded) -> None:
    s3, iam, rds, ssm = (
        guarded.cloud.client(service, guarded.keys) for service in ("s3", "iam", "rds", "ssm")
    )
    bucket = guarded.outputs["bucket"]
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    closed = {
        "study": _get(s3, bucket, "input/ward-3/x"),
        "bucket": partial(s3.create_bucket, Bucket="another"),
        "role": partial(iam.create_role, RoleName="another", AssumeRolePolicyDocument="{}"),
        "profile": partial(iam.create_instance_profile, InstanceProfileName="another"),
        "admin": partial(iam.attach_user_policy, UserName="eva", PolicyArn=admin),
        "database": partial(rds.delete_db_instance, DBInstanceIdentifier="another"),
        "document": partial(ssm.get_document, Name="another-run"),
        "parameter": partial(ssm.get_parameter, Name="/another/ledger/url"),
    }
    assert _refusals(**closed) == set(closed)
    own = {
        "role": partial(iam.get_role, RoleName=f"{NAME}-waker"),
        "document": partial(ssm.get_document, Name=f"{NAME}-run"),
        "database": partial(rds.describe_db_instances, DBInstanceIdentifier=f"{NAME}-ledger"),
    }
    assert not _refusals(**own)


def test_nobody_reads_or_writes_over_a_line_that_can_be_read(guarded: Guarded) -> None:
    bucket, queue = guarded.outputs["bucket"], guarded.outputs["queue_url"]
    keys = guarded.role(f"{NAME}-default-worker")
    for plain in (False, True):
        s3, sqs = (guarded.cloud.client(service, keys, plain=plain) for service in ("s3", "sqs"))
        everything = {
            "put": _put(s3, bucket, "input/ward-3/tls.zip"),
            "get": _get(s3, bucket, "input/ward-3/tls.zip"),
            "list": _list(s3, bucket, "input/"),
            "receive": partial(sqs.receive_message, QueueUrl=queue),
        }
        assert _refusals(**everything) == (set(everything) if plain else set())


def test_a_worker_reaches_the_tenants_areas_and_nothing_else_of_the_bucket(guarded: Guarded) -> None:
    bucket, s3 = guarded.outputs["bucket"], guarded.cloud.client("s3", guarded.role(f"{NAME}-default-worker"))
    areas = ["input", "arrivals", "results", "inferred", "rejected", "work", "shadows", ".bedside-top"]
    for area in areas:
        key = f"{area}/ward-3/worker.dcm"
        assert not _refusals(
            put=_put(s3, bucket, key), get=_get(s3, bucket, key), area=_list(s3, bucket, area)
        )
    for key in ("control/certificate", "elsewhere/ward-3/x"):
        guarded.cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
        assert _refusals(put=_put(s3, bucket, key), get=_get(s3, bucket, key)) == {"put", "get"}
    # What it installs it may read, and not replace for the next machine.
    software = "software/bedside.tar"
    assert _refusals(get=_get(s3, bucket, software), put=_put(s3, bucket, software)) == {"put"}
    assert not _refusals(list=_list(s3, bucket, "input/"))
    closed = {
        "bucket": partial(s3.delete_bucket, Bucket=bucket),
        "policy": partial(s3.put_bucket_policy, Bucket=bucket, Policy="{}"),
        "version": partial(s3.delete_object, Bucket=bucket, Key="input/ward-3/worker.dcm", VersionId="x"),
    }
    assert _refusals(**closed) == set(closed)


def test_a_worker_receives_hints_and_takes_out_its_own_machine_alone(guarded: Guarded) -> None:
    keys = guarded.role(f"{NAME}-default-worker")
    sqs, groups, ssm, iam, ecr, ec2, sns = (
        guarded.cloud.client(service, keys)
        for service in ("sqs", "autoscaling", "ssm", "iam", "ecr", "ec2", "sns")
    )
    queues = {pool: queue["url"] for pool, queue in guarded.outputs["pool_queues"].items()}
    leave = partial(
        groups.complete_lifecycle_action,
        LifecycleHookName="drain",
        LifecycleActionResult="CONTINUE",
        InstanceId="i-0",
    )
    assert not _refusals(
        receive=partial(sqs.receive_message, QueueUrl=queues["default"]),
        hint=partial(sqs.send_message, QueueUrl=queues["cpu"], MessageBody="{}"),
        ledger=partial(ssm.get_parameter, Name=guarded.outputs["ledger_url_parameter"], WithDecryption=True),
        leave=partial(leave, AutoScalingGroupName=f"{NAME}-default"),
        token=ecr.get_authorization_token,
        pull=partial(ecr.batch_get_image, repositoryName=NAME, imageIds=[{"imageTag": "x"}]),
        notice=partial(sns.publish, TopicArn=guarded.outputs["topic_arn"], Message="x"),
    )
    closed = {
        "dead letters": partial(sqs.receive_message, QueueUrl=guarded.outputs["dead_letter_url"]),
        "purge": partial(sqs.purge_queue, QueueUrl=queues["default"]),
        "waiting": partial(ssm.get_parameter, Name=f"/{NAME}/ledger/password"),
        "other group": partial(leave, AutoScalingGroupName=f"{NAME}-cpu"),
        "more": partial(
            groups.set_desired_capacity, AutoScalingGroupName=f"{NAME}-default", DesiredCapacity=2
        ),
        "release": partial(ecr.put_image, repositoryName=NAME, imageManifest="{}"),
        "machines": ec2.describe_instances,
        "role": partial(iam.create_role, RoleName="mine", AssumeRolePolicyDocument="{}"),
        "itself": partial(
            iam.put_role_policy, RoleName=f"{NAME}-default-worker", PolicyName="x", PolicyDocument="{}"
        ),
    }
    assert _refusals(**closed) == set(closed)


def test_a_worker_tells_how_it_is_in_one_namespace(guarded: Guarded) -> None:
    cloudwatch = guarded.cloud.client("cloudwatch", guarded.role(f"{NAME}-default-worker"))
    put = partial(cloudwatch.put_metric_data, MetricData=[{"MetricName": "JobsDead", "Value": 0}])
    namespaces = ("bedside", "AWS/SQS", "bedside/other")
    assert [_refused(partial(put, Namespace=each)) for each in namespaces] == [False, True, True]


def test_the_waker_counts_and_raises_pools_and_reads_nothing(guarded: Guarded) -> None:
    keys = guarded.role(f"{NAME}-waker")
    s3, sqs, groups = (guarded.cloud.client(service, keys) for service in ("s3", "sqs", "autoscaling"))
    queue, bucket = guarded.outputs["pool_queues"]["cpu"]["url"], guarded.outputs["bucket"]
    raise_to = partial(groups.set_desired_capacity, DesiredCapacity=0)
    assert not _refusals(
        count=partial(sqs.get_queue_attributes, QueueUrl=queue, AttributeNames=["All"]),
        look=groups.describe_auto_scaling_groups,
        lift=partial(raise_to, AutoScalingGroupName=f"{NAME}-cpu"),
    )
    closed = {
        "receive": partial(sqs.receive_message, QueueUrl=queue),
        "control": partial(raise_to, AutoScalingGroupName=f"{NAME}-control"),
        "get": _get(s3, bucket, "input/ward-3/x"),
        "list": _list(s3, bucket, "input/"),
    }
    assert _refusals(**closed) == set(closed)


def test_the_control_machine_keeps_its_certificate_and_raises_no_pool(guarded: Guarded) -> None:
    keys = guarded.role(f"{NAME}-control")
    s3, groups = (guarded.cloud.client(service, keys) for service in ("s3", "autoscaling"))
    bucket = guarded.outputs["bucket"]
    assert not _refusals(arrival=_put(s3, bucket, "arrivals/ward-3/x"), own=_put(s3, bucket, "control/x"))
    closed = {
        "software": _put(s3, bucket, "software/bedside.tar"),
        "more": partial(
            groups.set_desired_capacity, AutoScalingGroupName=f"{NAME}-default", DesiredCapacity=1
        ),
    }
    assert _refusals(**closed) == set(closed)


def test_an_import_has_what_healthimaging_documents_within_its_areas(guarded: Guarded) -> None:
    """HealthImaging's guide, "Create an IAM role for import": list both buckets, get input, put output."""
    iam = guarded.cloud.client("iam")
    role = iam.get_role(RoleName=f"{NAME}-import")["Role"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    account = role["Arn"].split(":")[4]
    store = f"arn:aws:medical-imaging:us-east-1:{account}:datastore/{DATASTORE}"
    assert trust["Principal"] == {"Service": "medical-imaging.amazonaws.com"}
    assert trust["Condition"] == {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnEquals": {"aws:SourceArn": store},
    }
    nobody = partial(
        guarded.cloud.client("sts").assume_role, RoleArn=role["Arn"], RoleSessionName="not-healthimaging"
    )
    assert _refused(nobody)
    policy = iam.get_role_policy(RoleName=f"{NAME}-import", PolicyName="import")["PolicyDocument"]
    actions = {action for statement in policy["Statement"] for action in _several(statement["Action"])}
    assert actions == {"s3:ListBucket", "s3:GetObject", "s3:PutObject"}

    bucket, s3 = guarded.outputs["bucket"], guarded.cloud.client("s3", guarded.role(f"{NAME}-import"))
    own, others = f"{NAME}-t-0a1b2c3d4e5f-output", f"another{NAME}-t-0a1b2c3d4e5f-output"
    for place in (own, others):  # of a tenant, and of no tenant here
        guarded.cloud.client("s3").create_bucket(Bucket=place)
    everything = {"list", "get", "put"}
    for place in (bucket, own, others):
        for area in ("arrivals", "results", "work", "input", "inferred"):
            key = f"{area}/ward-3/import.dcm"
            guarded.cloud.client("s3").put_object(Bucket=place, Key=key, Body=b"x")
            found = _refusals(
                list=_list(s3, place, f"{area}/ward-3/"), get=_get(s3, place, key), put=_put(s3, place, key)
            )
            expected = {"arrivals": {"put"}, "results": {"put"}, "work": {"get"}}.get(area, everything)
            assert (place, area, found) == (place, area, everything if place == others else expected)
        if place != bucket:
            for area in ("arrivals", "results", "work", "input", "inferred"):
                guarded.cloud.client("s3").delete_object(Bucket=place, Key=f"{area}/ward-3/import.dcm")
            guarded.cloud.client("s3").delete_bucket(Bucket=place)


def _several(actions: str | list[str]) -> list[str]:
    return [actions] if isinstance(actions, str) else actions


def test_a_workflow_pushes_and_neither_reads_studies_nor_manages_anybody(guarded: Guarded) -> None:
    role = guarded.cloud.client("iam").get_role(RoleName=f"{NAME}-ci")["Role"]["Arn"]
    other = role.replace("-ci", "-import")
    somebody = partial(guarded.cloud.client("sts").assume_role, RoleArn=role, RoleSessionName="not-github")
    assert _refused(somebody)
    keys = guarded.role(f"{NAME}-ci")
    s3, ecr, iam, sts = (guarded.cloud.client(service, keys) for service in ("s3", "ecr", "iam", "sts"))
    bucket, image = guarded.outputs["bucket"], [{"imageTag": "x"}]
    assert not _refusals(
        token=ecr.get_authorization_token,
        upload=partial(ecr.initiate_layer_upload, repositoryName=NAME),
        look=partial(iam.get_role, RoleName=f"{NAME}-ci"),
        software=_put(s3, bucket, "software/next.tar"),
    )
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    document = json.dumps({"Version": "2012-10-17", "Statement": []})
    closed = {
        "image": partial(ecr.batch_delete_image, repositoryName=NAME, imageIds=image),
        "repository": partial(ecr.delete_repository, repositoryName=NAME),
        "study": _get(s3, bucket, "input/ward-3/x"),
        "studies": _list(s3, bucket, "input/"),
        "user": partial(iam.create_user, UserName="mine"),
        "itself": partial(
            iam.put_role_policy, RoleName=f"{NAME}-ci", PolicyName="x", PolicyDocument=document
        ),
        "admin": partial(iam.attach_role_policy, RoleName=f"{NAME}-ci", PolicyArn=admin),
        "users": iam.list_users,
        "other role": partial(sts.assume_role, RoleArn=other, RoleSessionName="mine"),
    }
    assert _refusals(**closed) == set(closed)


def test_all_that_stands_is_told(guarded: Guarded, standing: Told, destroying: Underway) -> None:
    # The last of this file: what is told now is on its way out, and test_wound_up looks whether it went.
    assert len(guarded.made) > 120
    assert standing.proof.gone == 0, "each that can be asked for is there"
    assert len(standing.proof.left) > 70
    assert {entry.split()[0] for entry in standing.listed} == SERVICES
