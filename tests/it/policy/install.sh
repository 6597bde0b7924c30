#!/bin/sh
# Puts the IAM engine that tests/it/policy.rs needs into target/policy-tools.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
tools=$root/target/policy-tools
mkdir -p "$tools"
cp "$root"/tests/it/policy/package.json "$root"/tests/it/policy/package-lock.json "$tools"
npm ci --prefix "$tools" --ignore-scripts --no-audit --no-fund
