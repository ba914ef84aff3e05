# What an installation must say. Every other variable has a default, which variables.tf explains.
# Copy it to terraform.tfvars, which Terraform reads by itself, and edit that.

# Names it in Azure's rules and in everything that is made: lower-case letters and digits, no hyphen.
installation = "main"

# Who may ask for what, and who decides. The demo's policy shows the form: copy it, and name your own people,
# channel and machines. The path is as seen from this folder.
policy_file = "../../sandbox/policy.toml"

# Where rules may be written. The VMs, their interfaces and networks, and every group on the way must be in it.
azure_scopes = ["/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/Contoso-IaaS"]

# The subscriptions of resource groups that are named above: machines are listed by subscription.
azure_reading_scopes = ["/subscriptions/00000000-0000-0000-0000-000000000000"]

# Region of the managed identities, and the resource group that is made for them.
azure_location       = "westeurope"
azure_resource_group = "ajar"

# Who is told of alarms. AWS sends each a message to confirm.
alarm_emails = ["you@example.com"]

# true where nobody has switched on outbound identity federation in this AWS account yet
# (aws iam get-outbound-web-identity-federation-info).
create_issuer = false

# Where the archive is evidence for an auditor: COMPLIANCE. Nobody can delete from it then, nor the bucket, for
# archive_retention_days. It cannot be taken back.
archive_retention_mode = "GOVERNANCE"
archive_retention_days = 400
