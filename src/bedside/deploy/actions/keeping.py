"""What is kept: buckets, the registry, the database."""

from collections.abc import Mapping

from bedside.deploy.actions.grant import (
    BUCKET,
    REGISTRY,
    Grant,
)

ACTIONS: Mapping[str, tuple[Grant, ...]] = {
    "aws_db_instance": (
        Grant(
            "rds",
            "CreateDBInstance ModifyDBInstance DeleteDBInstance ListTagsForResource "
            "AddTagsToResource RemoveTagsFromResource",
            "rds:{region}:{account}:db:{name}-* rds:{region}:{account}:subgrp:{name}-* "
            "rds:{region}:{account}:pg:{name}-*",
        ),
        # The provider looks for the id that AWS gave the machine, not for its name: asked about all machines.
        Grant("rds", "DescribeDBInstances", "rds:{region}:{account}:db:*"),
    ),
    "aws_db_parameter_group": (
        Grant(
            "rds",
            "CreateDBParameterGroup ModifyDBParameterGroup DeleteDBParameterGroup DescribeDBParameterGroups "
            "DescribeDBParameters ListTagsForResource AddTagsToResource RemoveTagsFromResource",
            "rds:{region}:{account}:pg:{name}-*",
        ),
    ),
    "aws_db_subnet_group": (
        Grant(
            "rds",
            "CreateDBSubnetGroup ModifyDBSubnetGroup DeleteDBSubnetGroup DescribeDBSubnetGroups "
            "ListTagsForResource AddTagsToResource RemoveTagsFromResource",
            "rds:{region}:{account}:subgrp:{name}-*",
        ),
    ),
    "aws_ecr_lifecycle_policy": (
        Grant("ecr", "PutLifecyclePolicy GetLifecyclePolicy DeleteLifecyclePolicy", REGISTRY),
    ),
    "aws_ecr_repository": (
        Grant(
            "ecr",
            "CreateRepository DescribeRepositories DeleteRepository PutImageTagMutability "
            "PutImageScanningConfiguration ListImages BatchDeleteImage ListTagsForResource TagResource "
            "UntagResource",
            REGISTRY,
        ),
    ),
    "aws_s3_bucket": (
        Grant(
            "s3",
            "CreateBucket DeleteBucket ListBucket ListBucketVersions GetBucket* GetEncryptionConfiguration "
            "GetLifecycleConfiguration GetReplicationConfiguration GetAccelerateConfiguration "
            "PutBucketTagging",
            BUCKET,
        ),
        # A bucket is emptied before it is removed.
        Grant("s3", "DeleteObject DeleteObjectVersion", f"{BUCKET}/*"),
    ),
    "aws_s3_bucket_cors_configuration": (Grant("s3", "PutBucketCORS GetBucketCORS", BUCKET),),
    "aws_s3_bucket_lifecycle_configuration": (
        Grant("s3", "PutLifecycleConfiguration GetLifecycleConfiguration", BUCKET),
    ),
    "aws_s3_bucket_notification": (Grant("s3", "PutBucketNotification GetBucketNotification", BUCKET),),
    "aws_s3_bucket_ownership_controls": (
        Grant("s3", "PutBucketOwnershipControls GetBucketOwnershipControls", BUCKET),
    ),
    "aws_s3_bucket_policy": (Grant("s3", "PutBucketPolicy GetBucketPolicy DeleteBucketPolicy", BUCKET),),
    "aws_s3_bucket_public_access_block": (
        Grant("s3", "PutBucketPublicAccessBlock GetBucketPublicAccessBlock", BUCKET),
    ),
    "aws_s3_bucket_server_side_encryption_configuration": (
        Grant("s3", "PutEncryptionConfiguration GetEncryptionConfiguration", BUCKET),
    ),
    "aws_s3_bucket_versioning": (Grant("s3", "PutBucketVersioning GetBucketVersioning", BUCKET),),
}
