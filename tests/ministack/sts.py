"""AWS STS for the deployed functions: who asks, whether the role may, then the token that AWS would issue.

ministack refuses every sts:GetWebIdentityToken whose policy has the conditions it must have (it does not
know the condition keys) and signs with a key that Entra could not check. So this front door does what AWS
does: it verifies the request's signature with the credentials that ministack gave the function, evaluates
the *deployed* policy with the request's own values, and has the sandbox, which holds the issuer's key, sign the
claims that AWS writes. Whom the simulated Entra trusts is what Terraform applied.
"""
import hashlib
import http.server
import json
import threading
import time
import urllib.parse
import uuid
from datetime import datetime, timezone

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import iam as policies
from deployment import ACCOUNT, REGION
from processes import fetch


def function_credentials(function_arn, role_arn):
    """What ministack (core/lambda_runtime.py, AUTH=true) puts into a function's environment."""
    digest = hashlib.sha256(f"{function_arn}:{role_arn}".encode()).hexdigest()
    return Credentials(f"ASIA{digest[:16].upper()}", hashlib.sha256(f"secret:{digest}".encode()).hexdigest(),
                       hashlib.sha256(f"token:{digest}".encode()).hexdigest())


def signature_of(headers, url, body, credentials):
    """The signature that these credentials give for the signed headers of a request."""
    signed = headers["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    request = AWSRequest("POST", url, data=body)
    auth = SigV4Auth(credentials, "sts", REGION)
    request.context["timestamp"] = headers["x-amz-date"]
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in signed)
    path = urllib.parse.urlsplit(url).path or "/"
    canonical = "\n".join(["POST", path, "", lines, ";".join(signed), hashlib.sha256(body).hexdigest()])
    return auth.signature(auth.string_to_sign(request, canonical), request)


def error(status, code, text):
    return status, (f"<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
                    f"<Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>").encode()


class FrontDoor:
    """`sandbox` is its page's address; `issuer` the account's; `functions` maps a name to its ARNs."""

    def __init__(self, sandbox, issuer, functions, iam_client):
        self.sandbox, self.issuer, self.functions, self.iam = sandbox, issuer, functions, iam_client
        self.refused, self.issued = [], []
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, answer = door.answer(self.path, headers, body)
                self.send_response(status)
                self.send_header("content-type", "text/xml")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()

    def answer(self, path, headers, body):
        authorization = headers.get("authorization", "")
        key = authorization.partition("Credential=")[2].partition("/")[0]
        for name, function in self.functions.items():
            credentials = function_credentials(function["function_arn"], function["role_arn"])
            if credentials.access_key == key:
                break
        else:
            return error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        if headers.get("x-amz-security-token") != credentials.token:
            return error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
        if signature_of(headers, self.url + path, body, credentials) != authorization.partition("Signature=")[2]:
            return error(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.")

        form = urllib.parse.parse_qs(body.decode())
        if form.get("Action") != ["GetWebIdentityToken"]:
            return error(400, "InvalidAction", "This stand-in knows GetWebIdentityToken only.")
        audiences = [values[0] for member, values in form.items() if member.startswith("Audience.member.")]
        context = {
            "sts:IdentityTokenAudience": audiences or None,
            "sts:SigningAlgorithm": form.get("SigningAlgorithm"),
            "sts:DurationSeconds": form.get("DurationSeconds", ["300"]),
            "lambda:SourceFunctionArn": [function["function_arn"]],
        }
        role = function["role_arn"].rsplit("/", 1)[1]
        if not policies.allows(policies.documents(self.iam, role), "sts:GetWebIdentityToken", "*", context):
            self.refused.append(name)
            return error(403, "AccessDenied", f"{role} is not authorized to perform: sts:GetWebIdentityToken")
        self.issued.append(name)
        return self.issue(function, audiences, int(context["sts:DurationSeconds"][0]))

    def issue(self, function, audiences, seconds):
        """The token, with the claims that AWS writes (its user guide, "outbound identity federation")."""
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": function["role_arn"], "aud": audiences[0] if len(audiences) == 1 else audiences,
            "iat": now, "exp": now + seconds, "jti": str(uuid.uuid4()), "https://sts.amazonaws.com/": {
                "aws_account": ACCOUNT, "source_region": REGION, "principal_tags": {}, "lambda_source_function_arn": function["function_arn"]}}
        status, answer = fetch(f"{self.sandbox}/sandbox/web-identity", data=json.dumps(claims).encode(), method="POST")
        if status != 200:
            return error(500, "InternalFailure", f"the sandbox answered {status}")
        until = datetime.fromtimestamp(now + seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return 200, (f"<GetWebIdentityTokenResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetWebIdentityTokenResult>"
                     f"<WebIdentityToken>{json.loads(answer)['token']}</WebIdentityToken><Expiration>{until}</Expiration></GetWebIdentityTokenResult>"
                     f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata></GetWebIdentityTokenResponse>").encode()
