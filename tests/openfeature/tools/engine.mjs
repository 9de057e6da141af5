// Evaluates flags with the engine of flagd's JavaScript client: a flag file and a file of cases in, an answer a line out.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [modules, flags, cases] = process.argv.slice(2);
const { FlagdCore } = createRequire(`${modules}/`)('@openfeature/flagd-core');
const quiet = { error() {}, warn() {}, info() {}, debug() {} };
const core = new FlagdCore(undefined, quiet);
core.setConfigurations(readFileSync(flags, 'utf8'));
const types = { boolean: 'boolean', string: 'string', integer: 'number', float: 'number', object: 'object' };

for (const line of readFileSync(cases, 'utf8').split('\n').filter(Boolean)) {
  const asked = JSON.parse(line);
  let answer;
  try {
    const got = core.resolve(types[asked.type], asked.flag, asked.default, asked.context);
    const variant = got.variant || null;
    answer = { value: variant === null ? null : got.value, variant, reason: got.reason, metadata: got.flagMetadata ?? {} };
    if (got.errorCode) answer = { reason: 'ERROR', errorCode: got.errorCode };
  } catch (error) {
    answer = { reason: 'ERROR', errorCode: error.code ?? 'GENERAL' };
  }
  console.log(JSON.stringify(answer));
}
