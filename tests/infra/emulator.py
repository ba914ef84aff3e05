"""`terraform apply` of infra/terraform/modules/aws on ministack: what tests/ministack/apply.py creates, and the rest.

  emulator.py OFFLINE_DIR SCHEMAS_DIR ARGUMENT...    (in the folder of the configuration; environment as apply.py wants it)

Each resource is created through boto3, whose models of AWS's APIs know types, names and allowed values. A resource
that this does not know is an error.
"""
import base64
import hashlib
import sys
import zipfile
from pathlib import Path

OFFLINE, SCHEMAS = sys.argv[1], Path(sys.argv[2])
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "ministack"))

import apply  # noqa: E402  (reads sys.argv[1])
import tfapply  # noqa: E402
import tfstub  # noqa: E402

ISSUER = "https://00000000-0000-0000-0000-000000000000.tokens.sts.global.api.aws"


class Emulator(apply.Emulator):
    def aws_dynamodb_table(self, v):
        made = super().aws_dynamodb_table(v)
        dynamodb = self.c("dynamodb")
        dynamodb.update_table(TableName=v["name"], DeletionProtectionEnabled=v["deletion_protection_enabled"])
        dynamodb.update_continuous_backups(TableName=v["name"], PointInTimeRecoverySpecification={
            "PointInTimeRecoveryEnabled": v["point_in_time_recovery"][0]["enabled"]})
        return made

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

    def aws_sqs_queue(self, v):
        made = super().aws_sqs_queue(v)
        self.c("sqs").set_queue_attributes(QueueUrl=made["url"], Attributes={"SqsManagedSseEnabled": str(v["sqs_managed_sse_enabled"]).lower()})
        return made

    def aws_lambda_layer_version(self, v):
        made = self.c("lambda").publish_layer_version(
            LayerName=v["layer_name"], Description=v["description"], CompatibleRuntimes=v["compatible_runtimes"],
            Content={"ZipFile": Path(v["filename"]).read_bytes()})
        return {"arn": made["LayerVersionArn"], "layer_arn": made["LayerArn"], "version": str(made["Version"]), "id": made["LayerVersionArn"]}

    def aws_lambda_function(self, v):
        made = super().aws_lambda_function(v)
        self.c("lambda").update_function_configuration(FunctionName=v["function_name"], Layers=v["layers"] or [])
        return made | {"code_sha256": base64.b64encode(hashlib.sha256(Path(v["filename"]).read_bytes()).digest()).decode()}

    def aws_lambda_event_source_mapping(self, v):
        made = super().aws_lambda_event_source_mapping(v)
        self.c("lambda").update_event_source_mapping(UUID=made["uuid"], ParallelizationFactor=int(v["parallelization_factor"]))
        return made

    def aws_apigatewayv2_api(self, v):
        made = super().aws_apigatewayv2_api(v)
        self.c("apigatewayv2").update_api(ApiId=made["id"], IpAddressType=v["ip_address_type"])
        return made

    def aws_apigatewayv2_stage(self, v):
        made = super().aws_apigatewayv2_stage(v)
        log = v["access_log_settings"][0]
        self.c("apigatewayv2").update_stage(ApiId=v["api_id"], StageName=v["name"], AccessLogSettings={
            "DestinationArn": log["destination_arn"], "Format": log["format"]})
        return made

    def aws_scheduler_schedule_group(self, v):
        return {"arn": self.c("scheduler").create_schedule_group(Name=v["name"])["ScheduleGroupArn"], "id": v["name"]}

    def aws_scheduler_schedule(self, v):
        target = v["target"][0]
        retry = target["retry_policy"][0]
        arn = self.c("scheduler").create_schedule(
            Name=v["name"], GroupName=v["group_name"], ScheduleExpression=v["schedule_expression"],
            FlexibleTimeWindow={"Mode": v["flexible_time_window"][0]["mode"]},
            Target={"Arn": target["arn"], "RoleArn": target["role_arn"], "RetryPolicy": {
                "MaximumRetryAttempts": int(retry["maximum_retry_attempts"]),
                "MaximumEventAgeInSeconds": int(retry["maximum_event_age_in_seconds"])}})["ScheduleArn"]
        return {"arn": arn, "id": f"{v['group_name']}/{v['name']}"}


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
        return {
            "aws_partition": {"partition": "aws"},
            "aws_region": {"region": self.emulator.region},
            "aws_caller_identity": {"account_id": self.emulator.account},
            "aws_iam_outbound_web_identity_federation": {"issuer_identifier": ISSUER},
        }[kind]

    def ReadDataSource(self, req, ctx):
        config = tfstub.load(req.config)
        state = tfstub.fill(config, self.s["data"][req.type_name], tfstub.sample) | self.read(req.type_name, config)
        return tfstub.pb.ReadDataSource.Response(state=tfstub.dump(state))


if __name__ == "__main__":
    tfapply.Emulator, tfstub.Stub = Emulator, Stub
    sys.exit(tfstub.main([*(str(SCHEMAS / f"{name}.json") for name in ["aws", "archive", "external"]), "--", *sys.argv[3:]]))
