"""AWS: the only place that knows boto3."""
