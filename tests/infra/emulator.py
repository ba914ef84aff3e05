"""`terraform apply` of infra/terraform where there is no cloud: AWS's part on ministack, Azure's recorded and handed to
the sandbox, which judges by it.

  emulator.py OFFLINE_DIR SCHEMAS_DIR TERRAFORM ARGUMENT...      (in the folder of the configuration)

Environment:
  TFSTUB_EMULATOR        ministack's address
  TFSTUB_ENV             what every function finds in its environment besides, JSON
  MINISTACK_ACCOUNT_ID   the account
  EMULATOR_STATE         a folder of this: what was recorded of Azure, and the layers, which ministack does not unpack
  EMULATOR_SANDBOX       the sandbox's address; not needed where nothing of Azure's is applied

Each AWS resource is created through boto3, whose models of AWS's APIs know types, names and allowed values. A resource
that this does not know is an error.
"""
import base64
import hashlib
import json
import os
import sys
import threading
import urllib.request
import uuid
import zipfile
from pathlib import Path

OFFLINE, SCHEMAS = str(Path(sys.argv[1]).resolve()), Path(sys.argv[2]).resolve()
sys.path.insert(0, OFFLINE)

import tfapply  # noqa: E402
import tfstub  # noqa: E402

STATE = Path(os.environ["EMULATOR_STATE"]).resolve() if "EMULATOR_STATE" in os.environ else None
SANDBOX = os.environ.get("EMULATOR_SANDBOX")
PROVIDERS = ["aws", "archive", "external", "local", "azurerm-5.10.0"]


def facts():
    """What the sandbox says of itself."""
    with urllib.request.urlopen(f"{SANDBOX}/sandbox.json", timeout=30) as answer:
        return json.load(answer)


def subscription():
    """The id of its subscription."""
    return f"/subscriptions/{facts()['subscription_id']}"


class Aws(tfapply.Emulator):
    """What infra/terraform/modules/aws makes."""

    def __init__(self, endpoint, env=None, **options):
        super().__init__(endpoint, env=env, **options)
        self.account = os.environ["MINISTACK_ACCOUNT_ID"]

    # --- roles -------------------------------------------------------------------------------------------

    def aws_iam_role(self, v):
        # The shared handler drops the path, which is part of the subject that Azure trusts.
        r = self.c("iam").create_role(RoleName=v["name"], Path=v["path"], AssumeRolePolicyDocument=v["assume_role_policy"])["Role"]
        return {"arn": r["Arn"], "id": v["name"], "unique_id": r["RoleId"]}

    # --- what is kept ------------------------------------------------------------------------------------

    def aws_dynamodb_table(self, v):
        made = super().aws_dynamodb_table(v)
        dynamodb = self.c("dynamodb")
        dynamodb.update_table(TableName=v["name"], DeletionProtectionEnabled=v["deletion_protection_enabled"])
        dynamodb.update_continuous_backups(TableName=v["name"], PointInTimeRecoverySpecification={
            "PointInTimeRecoveryEnabled": v["point_in_time_recovery"][0]["enabled"]})
        return made

    def aws_secretsmanager_secret(self, v):
        secrets = self.c("secretsmanager")
        made = secrets.create_secret(Name=v["name"], Description=v["description"])
        # AWS makes no version of a secret without a value; ministack makes one that holds nothing.
        secrets.update_secret_version_stage(SecretId=made["ARN"], VersionStage="AWSCURRENT", RemoveFromVersionId=made["VersionId"])
        return {"arn": made["ARN"], "id": made["ARN"]}

    def aws_s3_bucket(self, v):
        self.c("s3").create_bucket(Bucket=v["bucket"], ObjectLockEnabledForBucket=v["object_lock_enabled"],
                                   CreateBucketConfiguration={"LocationConstraint": self.region})
        return {"id": v["bucket"], "arn": f"arn:aws:s3:::{v['bucket']}"}

    def aws_s3_bucket_versioning(self, v):
        self.c("s3").put_bucket_versioning(Bucket=v["bucket"], VersioningConfiguration={"Status": v["versioning_configuration"][0]["status"]})
        return {"id": v["bucket"]}

    def aws_s3_bucket_object_lock_configuration(self, v):
        retention = v["rule"][0]["default_retention"][0]
        self.c("s3").put_object_lock_configuration(Bucket=v["bucket"], ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": retention["mode"], "Days": int(retention["days"])}}})
        return {"id": v["bucket"]}

    def aws_s3_bucket_public_access_block(self, v):
        self.c("s3").put_public_access_block(Bucket=v["bucket"], PublicAccessBlockConfiguration={
            "BlockPublicAcls": v["block_public_acls"], "IgnorePublicAcls": v["ignore_public_acls"],
            "BlockPublicPolicy": v["block_public_policy"], "RestrictPublicBuckets": v["restrict_public_buckets"]})
        return {"id": v["bucket"]}

    def aws_s3_bucket_ownership_controls(self, v):
        self.c("s3").put_bucket_ownership_controls(Bucket=v["bucket"], OwnershipControls={
            "Rules": [{"ObjectOwnership": v["rule"][0]["object_ownership"]}]})
        return {"id": v["bucket"]}

    def aws_s3_bucket_server_side_encryption_configuration(self, v):
        algorithm = v["rule"][0]["apply_server_side_encryption_by_default"][0]["sse_algorithm"]
        self.c("s3").put_bucket_encryption(Bucket=v["bucket"], ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}}]})
        return {"id": v["bucket"]}

    def aws_s3_bucket_policy(self, v):
        self.c("s3").put_bucket_policy(Bucket=v["bucket"], Policy=v["policy"])
        return {"id": v["bucket"]}

    def aws_s3_bucket_lifecycle_configuration(self, v):
        rules = []
        for rule in v["rule"]:
            made = {"ID": rule["id"], "Status": rule["status"], "Filter": {"Prefix": ""}, "Expiration": {}}
            expiration = rule["expiration"][0]
            if expiration["days"]:
                made["Expiration"]["Days"] = int(expiration["days"])
            if expiration["expired_object_delete_marker"]:
                made["Expiration"]["ExpiredObjectDeleteMarker"] = True
            for old in rule["noncurrent_version_expiration"]:
                made["NoncurrentVersionExpiration"] = {"NoncurrentDays": int(old["noncurrent_days"])}
            for upload in rule["abort_incomplete_multipart_upload"]:
                made["AbortIncompleteMultipartUpload"] = {"DaysAfterInitiation": int(upload["days_after_initiation"])}
            rules.append(made)
        self.c("s3").put_bucket_lifecycle_configuration(Bucket=v["bucket"], LifecycleConfiguration={"Rules": rules})
        return {"id": v["bucket"]}

    def aws_sqs_queue(self, v):
        made = super().aws_sqs_queue(v)
        self.c("sqs").set_queue_attributes(QueueUrl=made["url"], Attributes={"SqsManagedSseEnabled": str(v["sqs_managed_sse_enabled"]).lower()})
        return made

    # --- functions ---------------------------------------------------------------------------------------

    def aws_lambda_layer_version(self, v):
        with zipfile.ZipFile(v["filename"]) as archive:
            archive.extractall(STATE / "opt")
        made = self.c("lambda").publish_layer_version(
            LayerName=v["layer_name"], Description=v["description"], CompatibleRuntimes=v["compatible_runtimes"],
            Content={"ZipFile": Path(v["filename"]).read_bytes()})
        return {"arn": made["LayerVersionArn"], "layer_arn": made["LayerArn"], "version": str(made["Version"]), "id": made["LayerVersionArn"]}

    def aws_lambda_function(self, v):
        variables = v["environment"][0]["variables"]
        v["environment"][0]["variables"] = {
            name: str(STATE / "opt" / value.removeprefix("/opt/")) if value.startswith("/opt/") else value for name, value in variables.items()}
        made = super().aws_lambda_function(v)
        self.c("lambda").update_function_configuration(FunctionName=v["function_name"], Layers=v["layers"] or [])
        return made | {"code_sha256": base64.b64encode(hashlib.sha256(Path(v["filename"]).read_bytes()).digest()).decode()}

    def aws_lambda_event_source_mapping(self, v):
        made = super().aws_lambda_event_source_mapping(v)
        self.c("lambda").update_event_source_mapping(UUID=made["uuid"], ParallelizationFactor=int(v["parallelization_factor"]))
        return made

    def aws_lambda_function_event_invoke_config(self, v):
        self.c("lambda").put_function_event_invoke_config(
            FunctionName=v["function_name"], MaximumRetryAttempts=int(v["maximum_retry_attempts"]),
            MaximumEventAgeInSeconds=int(v["maximum_event_age_in_seconds"]))
        return {"id": v["function_name"]}

    # --- the door ----------------------------------------------------------------------------------------

    def aws_apigatewayv2_api(self, v):
        r = self.c("apigatewayv2").create_api(Name=v["name"], ProtocolType=v["protocol_type"], IpAddressType=v["ip_address_type"])
        arn = f"arn:aws:execute-api:{self.region}:{self.account}:{r['ApiId']}"
        # ministack's own address of it is a host below `localhost`, which need not resolve.
        return {"id": r["ApiId"], "api_endpoint": f"{self.kw['endpoint_url']}/_aws/execute-api/{r['ApiId']}/$default", "execution_arn": arn}

    def aws_apigatewayv2_integration(self, v):
        r = self.c("apigatewayv2").create_integration(
            ApiId=v["api_id"], IntegrationType=v["integration_type"], IntegrationUri=v["integration_uri"],
            PayloadFormatVersion=v["payload_format_version"])
        return {"id": r["IntegrationId"]}

    def aws_apigatewayv2_route(self, v):
        r = self.c("apigatewayv2").create_route(ApiId=v["api_id"], RouteKey=v["route_key"], Target=v["target"])
        return {"id": r["RouteId"]}

    def aws_apigatewayv2_stage(self, v):
        settings, log = v["default_route_settings"][0], v["access_log_settings"][0]
        self.c("apigatewayv2").create_stage(
            ApiId=v["api_id"], StageName=v["name"], AutoDeploy=v["auto_deploy"],
            DefaultRouteSettings={"ThrottlingBurstLimit": int(settings["throttling_burst_limit"]),
                                  "ThrottlingRateLimit": float(settings["throttling_rate_limit"])},
            RouteSettings={route["route_key"]: {"ThrottlingBurstLimit": int(route["throttling_burst_limit"]),
                                                "ThrottlingRateLimit": float(route["throttling_rate_limit"])}
                           for route in v["route_settings"]},
            AccessLogSettings={"DestinationArn": log["destination_arn"], "Format": log["format"]})
        return {"id": v["name"], "execution_arn": f"arn:aws:execute-api:{self.region}:{self.account}:{v['api_id']}/{v['name']}"}

    # --- clocks, logs, alarms ----------------------------------------------------------------------------

    def aws_scheduler_schedule_group(self, v):
        return {"arn": self.c("scheduler").create_schedule_group(Name=v["name"])["ScheduleGroupArn"], "id": v["name"]}

    def aws_scheduler_schedule(self, v):
        # The shared handler drops the group and the retry policy.
        target = v["target"][0]
        retry = target["retry_policy"][0]
        arn = self.c("scheduler").create_schedule(
            Name=v["name"], GroupName=v["group_name"], ScheduleExpression=v["schedule_expression"],
            FlexibleTimeWindow={"Mode": v["flexible_time_window"][0]["mode"]},
            Target={"Arn": target["arn"], "RoleArn": target["role_arn"], "RetryPolicy": {
                "MaximumRetryAttempts": int(retry["maximum_retry_attempts"]),
                "MaximumEventAgeInSeconds": int(retry["maximum_event_age_in_seconds"])}})["ScheduleArn"]
        return {"arn": arn, "id": f"{v['group_name']}/{v['name']}"}

    def aws_cloudwatch_log_group(self, v):
        made = super().aws_cloudwatch_log_group(v)
        self.c("logs").put_retention_policy(logGroupName=v["name"], retentionInDays=int(v["retention_in_days"]))
        return made

    def aws_cloudwatch_log_metric_filter(self, v):
        one = v["metric_transformation"][0]
        self.c("logs").put_metric_filter(
            logGroupName=v["log_group_name"], filterName=v["name"], filterPattern=v["pattern"],
            metricTransformations=[{"metricName": one["name"], "metricNamespace": one["namespace"], "metricValue": one["value"]}])
        return {"id": v["name"]}

    def aws_cloudwatch_metric_alarm(self, v):
        dimensions = [{"Name": name, "Value": value} for name, value in (v["dimensions"] or {}).items()]
        statistic = {"Statistic": v["statistic"]} if v["statistic"] else {"ExtendedStatistic": v["extended_statistic"]}
        self.c("cloudwatch").put_metric_alarm(
            AlarmName=v["alarm_name"], AlarmDescription=v["alarm_description"], Namespace=v["namespace"], MetricName=v["metric_name"],
            Dimensions=dimensions, Period=int(v["period"]), EvaluationPeriods=int(v["evaluation_periods"]), Threshold=float(v["threshold"]),
            ComparisonOperator=v["comparison_operator"], TreatMissingData=v["treat_missing_data"],
            AlarmActions=v["alarm_actions"], OKActions=v["ok_actions"], **statistic)
        return {"id": v["alarm_name"]}

    def aws_sns_topic(self, v):
        arn = self.c("sns").create_topic(Name=v["name"])["TopicArn"]
        return {"arn": arn, "id": arn}

    def aws_sns_topic_subscription(self, v):
        arn = self.c("sns").subscribe(TopicArn=v["topic_arn"], Protocol=v["protocol"], Endpoint=v["endpoint"], ReturnSubscriptionArn=True)
        return {"arn": arn["SubscriptionArn"], "id": arn["SubscriptionArn"]}


class Azure:
    """What infra/terraform/modules/azure makes: recorded, and told to the sandbox in its own words."""

    TOLD = {
        "identities": ("azurerm_user_assigned_identity", lambda v: {name: v[name] for name in ("id", "name", "client_id", "principal_id")}),
        "credentials": ("azurerm_federated_identity_credential", lambda v: {
            "identity": v["user_assigned_identity_id"], "issuer": v["issuer"], "subject": v["subject"], "audiences": v["audience"]}),
        "role_definitions": ("azurerm_role_definition", lambda v: {
            "id": v["role_definition_id"], "name": v["name"], "actions": v["permissions"][0]["actions"], "assignable_scopes": v["assignable_scopes"]}),
        "role_assignments": ("azurerm_role_assignment", lambda v: {
            name: v[name] for name in ("principal_id", "role_definition_id", "scope")}),
    }

    def __init__(self):
        # Terraform applies several at a time.
        self.lock, self.made = threading.Lock(), []

    def create(self, kind, v):
        learned = getattr(self, kind)(v)
        with self.lock:
            self.made.append((kind, v | learned))
            applied = {told: [say(one) for made, one in self.made if made == kind] for told, (kind, say) in self.TOLD.items()}
            (STATE / "azure.json").write_text(json.dumps(applied, indent=1))
            urllib.request.urlopen(urllib.request.Request(f"{SANDBOX}/sandbox/identities", method="PUT", data=json.dumps(applied).encode()), timeout=30)
        return learned

    def azurerm_resource_group(self, v):
        return {"id": f"{subscription()}/resourceGroups/{v['name']}"}

    def within(self, v, provider):
        """The id of a resource in a resource group."""
        return {"id": f"{subscription()}/resourceGroups/{v['resource_group_name']}/providers/{provider}/{v['name']}"}

    def azurerm_user_assigned_identity(self, v):
        return self.within(v, "Microsoft.ManagedIdentity/userAssignedIdentities") | {
            "client_id": str(uuid.uuid4()), "principal_id": str(uuid.uuid4()), "tenant_id": facts()["tenant_id"]}

    def azurerm_federated_identity_credential(self, v):
        return {"id": f"{v['user_assigned_identity_id']}/federatedIdentityCredentials/{v['name']}"}

    def azurerm_role_definition(self, v):
        role = str(uuid.uuid4())
        resource = f"{v['scope']}/providers/Microsoft.Authorization/roleDefinitions/{role}"
        return {"role_definition_id": role, "role_definition_resource_id": resource, "id": f"{resource}|{v['scope']}"}

    def azurerm_role_assignment(self, v):
        name = str(uuid.uuid4())
        return {"name": name, "id": f"{v['scope']}/providers/Microsoft.Authorization/roleAssignments/{name}"}

    def azurerm_monitor_action_group(self, v):
        return self.within(v, "Microsoft.Insights/actionGroups")

    def azurerm_monitor_activity_log_alert(self, v):
        return self.within(v, "Microsoft.Insights/activityLogAlerts")


class Emulator(Aws):
    def __init__(self, endpoint, **options):
        super().__init__(endpoint, **options)
        self.azure = Azure()

    def create(self, kind, v):
        side = self.azure if kind.startswith("azurerm_") else self
        if not hasattr(side, kind):
            raise NotImplementedError("tests/infra/emulator.py does not create this type")
        return self.azure.create(kind, v) if side is self.azure else getattr(self, kind)(v)


class Stub(tfstub.Stub):
    """Data sources that have an answer here."""

    def read(self, kind, config):
        if kind == "archive_file":
            path = Path(config["output_path"])
            path.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(path, "w") as archive:
                for one in config["source"]:
                    archive.writestr(one["filename"], one["content"])
            return {"output_base64sha256": base64.b64encode(hashlib.sha256(path.read_bytes()).digest()).decode()}
        if kind == "aws_iam_outbound_web_identity_federation":
            return {"issuer_identifier": facts()["issuer"]}
        if kind == "azurerm_subscription":
            return {"id": subscription()}
        return {
            "aws_partition": {"partition": "aws"},
            "aws_region": {"region": self.emulator.region},
            "aws_caller_identity": {"account_id": self.emulator.account},
        }[kind]

    def ReadDataSource(self, req, ctx):
        config = tfstub.load(req.config)
        state = tfstub.fill(config, self.s["data"][req.type_name], tfstub.sample) | self.read(req.type_name, config)
        return tfstub.pb.ReadDataSource.Response(state=tfstub.dump(state))


if __name__ == "__main__":
    if STATE:
        STATE.mkdir(parents=True, exist_ok=True)
    tfapply.Emulator, tfstub.Stub = Emulator, Stub
    # Terraform starts its providers in the folder of `-chdir`, and they read files as seen from there.
    arguments = sys.argv[3:]
    for folder in [one for one in arguments if one.startswith("-chdir=")]:
        arguments.remove(folder)
        os.chdir(folder.removeprefix("-chdir="))
    sys.exit(tfstub.main([*(str(SCHEMAS / f"{name}.json") for name in PROVIDERS), "--", *arguments]))
