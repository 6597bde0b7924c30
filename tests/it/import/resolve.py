"""What botocore makes of the profiles of each folder's `config` and `credentials`: the AssumeRole calls, by profile."""

import json, os, sys

import botocore.session


class Sts:
    def __init__(self, calls, arguments):
        self.calls, self.key = calls, arguments.get("aws_access_key_id")

    def assume_role(self, **call):
        self.calls.append((self.key, call))
        return {"Credentials": {"AccessKeyId": "ASIAROLE", "SecretAccessKey": "s", "SessionToken": "t",
                                "Expiration": "2099-01-01T00:00:00Z"},
                "AssumedRoleUser": {"Arn": call["RoleArn"], "AssumedRoleId": "A:b"}}


class Session(botocore.session.Session):
    calls = None

    def create_client(self, service, **arguments):
        return Sts(self.calls, arguments)


def session(folder, profile):
    made = Session(profile=profile)
    made.set_config_variable("config_file", os.path.join(folder, "config"))
    made.set_config_variable("credentials_file", os.path.join(folder, "credentials"))
    made.calls = []
    return made


def resolve(folder, profile):
    made = session(folder, profile)
    try:
        for provider in made.get_component("credential_provider").providers:
            provider._prompter = lambda _: "123456"
        credentials = made.get_credentials()
        if credentials is not None:
            credentials.get_frozen_credentials()
    except Exception as error:
        return {"error": "%s: %s" % (type(error).__name__, error)}
    if not made.calls:
        return {"error": "no role"}
    key, call = made.calls[-1]
    return {"arn": call["RoleArn"], "key": key, "hops": len(made.calls), "external_id": call.get("ExternalId"),
            "duration": call.get("DurationSeconds"), "device": call.get("SerialNumber")}


answer = {}
for folder in sys.argv[1:]:
    profiles = session(folder, None).full_config["profiles"]
    answer[os.path.basename(folder)] = {name: resolve(folder, name) for name in profiles if "role_arn" in profiles[name]}
json.dump(answer, sys.stdout)
