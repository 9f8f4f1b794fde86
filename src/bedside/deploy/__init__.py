"""bedside on AWS: what a deployment is made of, what it costs, and what it takes to make and remove it.

Knows Terraform and prices; speaks to AWS only through the protocols in `bedside.ports`.
"""
