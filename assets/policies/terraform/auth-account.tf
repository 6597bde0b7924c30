# The auth account's group. Apply in {{auth_account}}, in one region where AWS Config records.
# Every IAM user belongs in the group; with an organization a service control policy on this account binds the others too.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80"
    }
  }
}

resource "aws_iam_group" "developers" {
  name = "sekisho-developers"
}

resource "aws_iam_policy" "managed" {
  for_each = fileset("${path.module}/managed", "*.json")

  name   = "sekisho-${trimsuffix(each.key, ".json")}"
  policy = file("${path.module}/managed/${each.key}")
}

resource "aws_iam_group_policy_attachment" "managed" {
  for_each = aws_iam_policy.managed

  group      = aws_iam_group.developers.name
  policy_arn = each.value.arn
}

resource "aws_iam_group_policy" "switch" {
  name   = "sekisho-switch"
  group  = aws_iam_group.developers.name
  policy = file("${path.module}/switch.json")
}

resource "aws_config_config_rule" "rules" {
  for_each = { for rule in jsondecode(file("${path.module}/config-rules.json")) : rule.ConfigRuleName => rule }

  name                        = each.key
  input_parameters            = try(each.value.InputParameters, null)
  maximum_execution_frequency = each.value.MaximumExecutionFrequency

  source {
    owner             = each.value.Source.Owner
    source_identifier = each.value.Source.SourceIdentifier
  }
}
