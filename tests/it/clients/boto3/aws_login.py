"""What `aws login` does, by botocore's own parts: signs in (`sign-in`), and uses the profile (`use`), which renews its keys."""

import base64
import hashlib
import http.client
import json
import os
import sys
import urllib.parse

import boto3
import botocore.session
from awscrt.crypto import EC, ECExportFormat, ECType
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import _build_add_dpop_header_handler
from botocore.utils import JSONFileCache, LoginTokenLoader, get_login_token_cache_directory

CLIENT = "arn:aws:signin:::devtools/same-device"
BACK = "http://127.0.0.1:49152/oauth/callback"


def text(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def authorized(site, verifier):
    query = urllib.parse.urlencode({
        "response_type": "code", "client_id": CLIENT, "state": "state", "code_challenge_method": "SHA-256",
        "scope": "openid", "redirect_uri": BACK,
        "code_challenge": text(hashlib.sha256(verifier.encode()).digest()),
    })
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(site).netloc)
    connection.request("GET", f"/v1/authorize?{query}")
    location = connection.getresponse().getheader("location")
    return urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["code"][0]


def sign_in(site, session):
    verifier, key = text(os.urandom(48)), EC.new_generate(ECType.P_256)
    client = botocore.session.get_session().create_client(
        "signin", region_name="eu-west-1", config=Config(signature_version=UNSIGNED))
    client.meta.events.register("before-call.signin.CreateOAuth2Token", _build_add_dpop_header_handler(key))
    output = client.create_o_auth2_token(tokenInput={
        "clientId": CLIENT, "grantType": "authorization_code", "code": authorized(site, verifier),
        "codeVerifier": verifier, "redirectUri": BACK,
    })["tokenOutput"]
    pem = base64.b64encode(key.export_key(ECExportFormat.SEC1)).decode()
    LoginTokenLoader(JSONFileCache(get_login_token_cache_directory())).save_token(session, {
        # Over already, so that the first call renews.
        "accessToken": output["accessToken"] | {"accountId": session.split(":")[4], "expiresAt": "2026-01-01T00:00:00Z"},
        "tokenType": "aws_sigv4", "clientId": CLIENT, "refreshToken": output["refreshToken"],
        "idToken": output["idToken"],
        "dpopKey": f"-----BEGIN EC PRIVATE KEY-----\n{pem}\n-----END EC PRIVATE KEY-----\n",
    })


if sys.argv[1] == "sign-in":
    sign_in(os.environ["AWS_ENDPOINT_URL_SIGNIN"], sys.argv[2])
print(json.dumps(boto3.Session(profile_name="work").client("sts").get_caller_identity()["Arn"]))
