"""`terraform apply` on ministack: the shared offline provider, plus the resources of infra/minimal it lacks.

  apply.py OFFLINE_DIR ARGUMENT...      (in the directory of the configuration; environment as tfstub.py wants it)

Every resource of the configuration must have been created for real: an unknown type is an error here,
where the shared provider lets it pass.
"""
import os
import sys

OFFLINE = sys.argv[1]
sys.path.insert(0, OFFLINE)

import tfapply  # noqa: E402
import tfstub  # noqa: E402


class Emulator(tfapply.Emulator):
    """Creates what infra/minimal/main.tf plans, through boto3."""

    def __init__(self, endpoint, env=None, **options):
        super().__init__(endpoint, env=env, **options)
        self.account = os.environ["MINISTACK_ACCOUNT_ID"]

    def create(self, ty, v):
        handler = getattr(self, ty, None)
        if handler is None:
            raise NotImplementedError("tests/ministack/apply.py does not create this type")
        return handler(v)

    def aws_iam_role(self, v):
        # The shared handler drops the path, which is part of the subject that Azure trusts.
        r = self.c("iam").create_role(RoleName=v["name"], Path=v["path"], AssumeRolePolicyDocument=v["assume_role_policy"])["Role"]
        return {"arn": r["Arn"], "id": v["name"], "unique_id": r["RoleId"]}

    def aws_secretsmanager_secret(self, v):
        arn = self.c("secretsmanager").create_secret(Name=v["name"])["ARN"]
        return {"arn": arn, "id": arn}

    def aws_apigatewayv2_api(self, v):
        r = self.c("apigatewayv2").create_api(Name=v["name"], ProtocolType=v["protocol_type"])
        arn = f"arn:aws:execute-api:{self.region}:{self.account}:{r['ApiId']}"
        return {"id": r["ApiId"], "api_endpoint": r["ApiEndpoint"], "execution_arn": arn}

    def aws_apigatewayv2_integration(self, v):
        r = self.c("apigatewayv2").create_integration(
            ApiId=v["api_id"], IntegrationType=v["integration_type"], IntegrationUri=v["integration_uri"],
            PayloadFormatVersion=v["payload_format_version"])
        return {"id": r["IntegrationId"]}

    def aws_apigatewayv2_route(self, v):
        r = self.c("apigatewayv2").create_route(ApiId=v["api_id"], RouteKey=v["route_key"], Target=v["target"])
        return {"id": r["RouteId"]}

    def aws_apigatewayv2_stage(self, v):
        settings = v["default_route_settings"][0]
        self.c("apigatewayv2").create_stage(
            ApiId=v["api_id"], StageName=v["name"], AutoDeploy=v["auto_deploy"],
            DefaultRouteSettings={"ThrottlingBurstLimit": int(settings["throttling_burst_limit"]),
                                  "ThrottlingRateLimit": float(settings["throttling_rate_limit"])})
        return {"id": v["name"], "execution_arn": f"arn:aws:execute-api:{self.region}:{self.account}:{v['api_id']}/{v['name']}"}

    def aws_scheduler_schedule(self, v):
        # The shared handler drops the retry policy.
        target = v["target"][0]
        retry = target["retry_policy"][0]
        r = self.c("scheduler").create_schedule(
            Name=v["name"], ScheduleExpression=v["schedule_expression"],
            FlexibleTimeWindow={"Mode": v["flexible_time_window"][0]["mode"]},
            Target={"Arn": target["arn"], "RoleArn": target["role_arn"],
                    "RetryPolicy": {"MaximumRetryAttempts": int(retry["maximum_retry_attempts"]),
                                    "MaximumEventAgeInSeconds": int(retry["maximum_event_age_in_seconds"])}})
        return {"arn": r["ScheduleArn"], "id": "default/" + v["name"], "group_name": "default"}

    def aws_lambda_function_event_invoke_config(self, v):
        self.c("lambda").put_function_event_invoke_config(
            FunctionName=v["function_name"], MaximumRetryAttempts=int(v["maximum_retry_attempts"]),
            MaximumEventAgeInSeconds=int(v["maximum_event_age_in_seconds"]))
        return {"id": v["function_name"]}


if __name__ == "__main__":
    tfapply.Emulator = Emulator
    sys.exit(tfstub.main([f"{OFFLINE}/schemas/aws-6.69.1.json", "--", *sys.argv[2:]]))
