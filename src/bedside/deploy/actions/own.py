"""What `bedside deploy` asks of AWS itself, whatever is made."""

from collections.abc import Mapping

from bedside.deploy.actions.grant import BUCKET, GROUP, LOG, QUEUE, REGISTRY, Grant

#: What `bedside deploy` itself asks, whatever is made: the checks, the state, and what is left.
OWN = (
    Grant("sts", "GetCallerIdentity"),
    Grant(
        "ec2", "DescribeRegions DescribeAvailabilityZones DescribeInstanceTypes DescribeInstanceTypeOfferings"
    ),
    Grant("servicequotas", "GetServiceQuota"),
    # Today's prices for `deploy cost`; without them it takes its table.
    Grant("pricing", "GetProducts"),
    Grant("ec2", "DescribeSpotPriceHistory"),
    Grant("tag", "GetResources"),
    Grant(
        "s3",
        "CreateBucket ListBucket ListBucketVersions DeleteBucket PutBucketPublicAccessBlock "
        "GetBucketVersioning PutBucketVersioning "
        "PutEncryptionConfiguration PutBucketPolicy",
        "s3:::{state}",
    ),
    Grant("s3", "GetObject PutObject DeleteObject DeleteObjectVersion", "s3:::{state}/{name}/*"),
    # The software of the machines; no study can be read or written with it.
    Grant("s3", "GetObject PutObject", f"{BUCKET}/software/*"),
    Grant(
        "ssm",
        "GetParametersByPath",
        "ssm:{region}::parameter/aws/service/global-infrastructure/services/*",
    ),
    # What `deploy status` and `deploy logs` show.
    Grant("cloudwatch", "DescribeAlarms ListTagsForResource"),
    Grant("ecr", "DescribeImages", REGISTRY),
    # Layers shared between repositories: a setting of the account, which has no resource.
    Grant("ecr", "GetAccountSetting PutAccountSetting"),
    Grant("logs", "DescribeLogGroups"),
    Grant("logs", "FilterLogEvents", LOG),
    # `deploy run`: one document, which takes no command but bedside's, on this deployment's machines. What
    # was sent is asked for and taken back by its id, for which AWS knows no resource.
    Grant("ssm", "SendCommand", "ssm:{region}:{account}:document/{name}-run"),
    Grant(
        "ssm",
        "SendCommand",
        "ec2:{region}:{account}:instance/*",
        tagged="ssm:resourceTag/bedside:deployment",
    ),
    Grant("ssm", "CancelCommand DescribeInstanceInformation GetCommandInvocation"),
    Grant("autoscaling", "DescribeAutoScalingGroups"),
    Grant("autoscaling", "SetDesiredCapacity", GROUP),
    # The phantom of a verification, by its name: no study of anybody's.
    Grant("s3", "GetObject PutObject", f"{BUCKET}/input/*/bedside-verify-*"),
    # `deploy dead`: dead letters are looked at and sent back; of what still lives nothing is received.
    Grant(
        "sqs",
        "ChangeMessageVisibility DeleteMessage GetQueueAttributes ListDeadLetterSourceQueues "
        "ListMessageMoveTasks ReceiveMessage StartMessageMoveTask",
        f"{QUEUE}-dead",
    ),
    Grant("sqs", "SendMessage", QUEUE),
    # AWS makes these for itself the first time that a service is used in an account.
    Grant("iam", "CreateServiceLinkedRole", "iam::{account}:role/aws-service-role/*"),
)

#: What it asks besides where a key of one's own encrypts: RDS and ECR are granted its use, parameters are
#: written with it, objects and messages read and written.
KEY = (Grant("kms", "CreateGrant Decrypt DescribeKey Encrypt GenerateDataKey* RetireGrant", "{key}"),)

#: What it asks besides where results go into a datastore that it makes itself, as Terraform cannot.
DATASTORE = (
    Grant("medical-imaging", "CreateDatastore ListDatastores"),
    Grant(
        "medical-imaging",
        "GetDatastore DeleteDatastore SearchImageSets DeleteImageSet TagResource ListTagsForResource",
        "medical-imaging:{region}:{account}:datastore/*",
    ),
)

#: What is granted where somebody asks for it by name, because it reads what belongs to patients.
ASKED: Mapping[str, tuple[Grant, ...]] = {
    # `deploy cost --actual`: of each result the one file that says what it took, with UIDs and measurements.
    "actual": (
        Grant("s3", "ListBucket", BUCKET),
        Grant("s3", "GetObject", f"{BUCKET}/results/*/result.json"),
    ),
    # `tenant delete` from one's own machine: results say which image sets are theirs; metadata have names.
    "image-sets": (
        Grant("s3", "ListBucket", BUCKET),
        Grant("s3", "GetObject", f"{BUCKET}/results/*/dicom/*"),
        Grant(
            "medical-imaging",
            "DeleteImageSet GetDICOMImportJob GetImageSetMetadata SearchImageSets",
            "medical-imaging:{region}:{account}:datastore/*",
        ),
    ),
}
