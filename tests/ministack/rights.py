"""What the deployed roles may not do, and what ministack does without asking whether they may."""
from datetime import datetime, timezone

import boto3
from botocore.exceptions import ClientError

import iam as policies
import sts
from deployment import FUNCTIONS, REGION
from processes import Failed


def refused(what, call):
    """Asserts that AWS says no for want of rights, and nothing else."""
    try:
        call()
    except ClientError as answer:
        if answer.response["Error"]["Code"] in ("AccessDenied", "AccessDeniedException"):
            print(f"  refused, as it must be: {what}")
            return
        raise Failed(f"{what}: {answer}") from answer
    raise Failed(f"{what} was allowed")


def check(ministack, door, functions, told):
    """Each role lacks what it must lack, asked with the functions' own sessions."""
    session = {name: sts.function_credentials(f["function_arn"], f["role_arn"]) for name, f in functions.items()}
    table, item = told["table"], {"pk": {"S": "REQUEST#00000-00000"}, "sk": {"S": "RECORD"}}
    dynamodb = {name: ministack.client("dynamodb", session[name]) for name in FUNCTIONS}
    token = {"Audience": ["api://AzureADTokenExchange"], "SigningAlgorithm": "RS256", "DurationSeconds": 300}

    def token_of(name, **other):
        client = boto3.client("sts", endpoint_url=door.url, region_name=REGION, aws_access_key_id=session[name].access_key,
                              aws_secret_access_key=session[name].secret_key, aws_session_token=session[name].token)
        return client.get_web_identity_token(**(token | other))

    for name in FUNCTIONS:  # the sessions are good: this they all may
        dynamodb[name].get_item(TableName=table, Key=item)
        refused(f"{name} deletes an item", lambda: dynamodb[name].delete_item(TableName=table, Key=item))
        refused(f"{name} scans the table", lambda: dynamodb[name].scan(TableName=table))
    refused("notify puts an item", lambda: dynamodb["notify"].put_item(TableName=table, Item=item))
    refused("request queries `machine`", lambda: dynamodb["request"].query(
        TableName=table, IndexName="machine", KeyConditionExpression="machine = :m", ExpressionAttributeValues={":m": {"S": "0"}}))
    refused("revoke queries `person`", lambda: dynamodb["revoke"].query(
        TableName=table, IndexName="person", KeyConditionExpression="person = :p", ExpressionAttributeValues={":p": {"S": "0"}}))
    refused("revoke changes the secret", lambda: ministack.client(
        "secretsmanager", session["revoke"]).put_secret_value(SecretId=told["secret"], SecretString="{}"))
    for name, target in [("request", "grant"), ("request", "revoke"), ("request", "discover"), ("notify", "grant"), ("grant", "revoke"), ("discover", "grant")]:
        refused(f"{name} invokes {target}", lambda: ministack.client(
            "lambda", session[name]).invoke(FunctionName=told["functions"][target], Payload=b"{}"))
    archive(ministack, session, told["archive_bucket"])
    for name in ("request", "notify"):
        refused(f"{name} asks for a token", lambda: token_of(name))
        refused(f"{name} asks ministack's own STS", lambda: ministack.client("sts", session[name]).get_web_identity_token(**token))
    for other in ({"SigningAlgorithm": "ES384"}, {"Audience": ["somebody else"]}, {"DurationSeconds": 900},
                  {"Audience": ["api://AzureADTokenExchange", "somebody else"]}):
        refused(f"grant asks for a token with {other}", lambda: token_of("grant", **other))

    # What ministack does without asking, and the condition that it does not know.
    iam = ministack.client("iam")
    described = ministack.client("dynamodb").describe_table(TableName=table)["Table"]
    stream = described["LatestStreamArn"]
    kinds = ("REQUEST#1", "REPLY#1", "ASK#1", "NSG#1", "MACHINE", "LOOK", "GROUP", "PERSON", "ORPHAN", "ORDER#1", "CLOSING", "LOCKDOWN")
    may_touch = {"request": {"REQUEST#1", "REPLY#1", "ASK#1", "MACHINE", "ORDER#1", "LOCKDOWN"}, "grant": {"REQUEST#1", "NSG#1", "ORDER#1", "CLOSING", "LOCKDOWN"},
                 "revoke": {"REQUEST#1", "NSG#1", "ORPHAN", "ORDER#1", "CLOSING", "LOCKDOWN"},
                 "notify": {"REQUEST#1", "REPLY#1", "MACHINE", "ORPHAN", "ORDER#1", "LOCKDOWN"}, "discover": set(kinds) - {"NSG#1", "ORPHAN", "CLOSING", "LOCKDOWN"}}
    may_list = {"request": {"MACHINE", "GROUP", "REQUEST#1"}, "grant": set(), "revoke": {"ORPHAN"}, "notify": {"REQUEST#1"}, "discover": {"MACHINE", "GROUP", "PERSON", "REQUEST#1", "CLOSING"}}
    for name in FUNCTIONS:
        statements = policies.documents(iam, told["functions"][name])
        for action in ("GetItem", "PutItem", "UpdateItem"):
            may = {key for key in kinds
                   if policies.allows(statements, f"dynamodb:{action}", described["TableArn"], {"dynamodb:LeadingKeys": [key]})}
            wanted = set() if (name, action) == ("notify", "PutItem") else may_touch[name]
            if may != wanted:
                raise Failed(f"{name} may {action} {sorted(may)} and needs {sorted(wanted)}")
        may = {key for key in kinds if policies.allows(statements, "dynamodb:Query", described["TableArn"], {"dynamodb:LeadingKeys": [key]})}
        if may != may_list[name]:
            raise Failed(f"{name} may list {sorted(may)} and needs {sorted(may_list[name])}")
    for name in FUNCTIONS:
        may = policies.allows(policies.documents(iam, told["functions"][name]), "dynamodb:GetRecords", stream, {})
        if may != (name in ("grant", "notify")):
            raise Failed(f"{name} {'may' if may else 'may not'} read the stream")
        for schedule, function in [("minute", "revoke"), ("quarter", "discover")]:
            may = policies.allows(policies.documents(iam, f"{table}-{schedule}"), "lambda:InvokeFunction", functions[name]["function_arn"], {})
            if may != (name == function):
                raise Failed(f"the {schedule} {'may' if may else 'may not'} invoke {name}")
    mappings = ministack.client("lambda").list_event_source_mappings(EventSourceArn=stream)["EventSourceMappings"]
    if len(mappings) != 2:
        raise Failed(f"{len(mappings)} readers of the stream; two are read without throttling")
    if set(door.issued) != {"grant", "revoke", "discover"}:
        raise Failed(f"tokens were issued to {sorted(set(door.issued))}")


def archive(ministack, session, bucket):
    """`discover` adds to the archive and no more; nobody takes away what is in it."""
    key = "history/0000/00/rights.json"
    what = {"Bucket": bucket, "Key": key, "Body": b"{}", "ChecksumAlgorithm": "SHA256"}
    for name in FUNCTIONS:
        if name != "discover":
            refused(f"{name} adds to the archive", lambda: ministack.client("s3", session[name]).put_object(**what))
    discover, root = ministack.client("s3", session["discover"]), ministack.client("s3")
    refused("discover adds to the archive without TLS", lambda: discover.put_object(**what))
    # There is no TLS on loopback: the statement that asks for it has been seen to refuse, and goes.
    root.delete_bucket_policy(Bucket=bucket)
    version = discover.put_object(**what)["VersionId"]
    for did, call in [("reads the archive", lambda: discover.get_object(Bucket=bucket, Key=key)),
                      ("lists the archive", lambda: discover.list_objects_v2(Bucket=bucket)),
                      ("deletes from the archive", lambda: discover.delete_object(Bucket=bucket, Key=key, VersionId=version)),
                      ("passes the archive's retention by", lambda: discover.delete_object(
                          Bucket=bucket, Key=key, VersionId=version, BypassGovernanceRetention=True))]:
        refused(f"discover {did}", call)
    refused("the account deletes from the archive before its time", lambda: root.delete_object(Bucket=bucket, Key=key, VersionId=version))
    held = root.get_object_retention(Bucket=bucket, Key=key)["Retention"]
    if held["Mode"] != "GOVERNANCE" or not 399 <= (held["RetainUntilDate"] - datetime.now(timezone.utc)).days <= 400:
        raise Failed(f"the archive holds what it was given as {held}")
