# What the organization enforces. Apply in the management account {{management}}, in one region.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.80"
    }
  }
}

variable "sandbox_target" {
  type        = string
  default     = "{{unit}}"
  description = "The unit of the sandbox accounts; a unit with one canary account for the first try"
}

variable "attach_auth_account" {
  type        = bool
  default     = true
  description = "false until every user of {{auth_account}} has a device and the break-glass role was tried"
}

variable "role_policies" {
  type        = map(list(string))
  description = "ARNs of the managed policies of each switch role, by the parameter's name in dev-account.yaml"
}

locals {
  # AWS counts every character of a control policy, so the white space goes.
  sandbox = merge([
    for folder, type in { "scp-sandbox" = "SERVICE_CONTROL_POLICY", "rcp-sandbox" = "RESOURCE_CONTROL_POLICY" } : {
      for name in fileset("${path.module}/${folder}", "*.json") : trimsuffix(name, ".json") => {
        type    = type
        content = jsonencode(jsondecode(file("${path.module}/${folder}/${name}")))
      }
    }
  ]...)

  auth = {
    for name in fileset("${path.module}/scp-auth-account", "*.json") :
    trimsuffix(name, ".json") => jsonencode(jsondecode(file("${path.module}/scp-auth-account/${name}")))
  }
}

resource "aws_organizations_policy" "sandbox" {
  for_each = local.sandbox

  name    = "sekisho-${each.key}"
  type    = each.value.type
  content = each.value.content
}

resource "aws_organizations_policy_attachment" "sandbox" {
  for_each = aws_organizations_policy.sandbox

  policy_id = each.value.id
  target_id = var.sandbox_target
}

resource "aws_organizations_policy" "auth" {
  for_each = local.auth

  name    = "sekisho-${each.key}"
  type    = "SERVICE_CONTROL_POLICY"
  content = each.value
}

resource "aws_organizations_policy_attachment" "auth" {
  for_each = var.attach_auth_account ? aws_organizations_policy.auth : {}

  policy_id = each.value.id
  target_id = "{{auth_account}}"
}

resource "aws_cloudformation_stack_set" "switch_roles" {
  name             = "sekisho-switch-roles"
  permission_model = "SERVICE_MANAGED"
  capabilities     = ["CAPABILITY_NAMED_IAM"]
  template_body    = file("${path.module}/dev-account.yaml")
  parameters       = { for name, arns in var.role_policies : name => join(",", arns) }

  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }

  managed_execution {
    active = true
  }

  lifecycle {
    ignore_changes = [administration_role_arn]
  }
}

resource "aws_cloudformation_stack_set_instance" "switch_roles" {
  stack_set_name = aws_cloudformation_stack_set.switch_roles.name

  deployment_targets {
    organizational_unit_ids = [var.sandbox_target]
  }

  operation_preferences {
    max_concurrent_percentage    = 25
    failure_tolerance_percentage = 10
  }
}
{{#brake}}

# The brake: attached by the budgets' actions, to one account at a time.

variable "notify_email" {
  type        = string
  description = "Who is notified of an account over its budget"
}

locals {
  accounts = toset(jsondecode(file("${path.module}/accounts.json")))
}

resource "aws_organizations_policy" "brake" {
  name    = "sekisho-brake"
  type    = "SERVICE_CONTROL_POLICY"
  content = jsonencode(jsondecode(file("${path.module}/brake.json")))
}

resource "aws_iam_role" "budget_action" {
  name = "sekisho-budget-action"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "budgets.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "aws:SourceAccount" = "{{management}}" } }
    }]
  })
}

resource "aws_iam_role_policy" "budget_action" {
  name = "brake"
  role = aws_iam_role.budget_action.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect = "Allow"
      Action = ["organizations:AttachPolicy", "organizations:DetachPolicy"]
      Resource = [
        aws_organizations_policy.brake.arn,
        "arn:{{partition}}:organizations::{{management}}:account/{{organization}}/*",
      ]
    }]
  })
}

resource "aws_budgets_budget" "account" {
  for_each = local.accounts

  name         = "sekisho-${each.key}"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = "{{budget}}"
  limit_unit   = "USD"

  cost_filter {
    name   = "LinkedAccount"
    values = [each.key]
  }
}

resource "aws_budgets_budget_action" "brake" {
  for_each = aws_budgets_budget.account

  budget_name        = each.value.name
  action_type        = "APPLY_SCP_POLICY"
  approval_model     = "AUTOMATIC"
  notification_type  = "ACTUAL"
  execution_role_arn = aws_iam_role.budget_action.arn

  action_threshold {
    action_threshold_type  = "PERCENTAGE"
    action_threshold_value = 100
  }

  definition {
    scp_action_definition {
      policy_id  = aws_organizations_policy.brake.id
      target_ids = [each.key]
    }
  }

  subscriber {
    address           = var.notify_email
    subscription_type = "EMAIL"
  }
}
{{/brake}}
