"""Prints who boto3's default chain is, once for each line on stdin."""
import sys

import boto3

sts = boto3.client("sts")
for _ in sys.stdin:
    try:
        print(sts.get_caller_identity()["Arn"], flush=True)
    except Exception as error:
        print("error:", str(error).replace("\n", " "), flush=True)
