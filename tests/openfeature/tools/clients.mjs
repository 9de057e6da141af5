// The official JavaScript clients against a live server. Prints what the flag `plain` gives, and again whenever that changes.

import { createRequire } from 'node:module';

const [kind, address, key, modules] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const [host, port] = address.split(':');
const headers = [['Authorization', `Bearer ${key}`]];
let details;

if (kind === 'web') {
  globalThis.EventSource ??= require('eventsource').EventSource;
  const { OpenFeature } = require('@openfeature/web-sdk');
  const { OFREPWebProvider } = require('@openfeature/ofrep-web-provider');
  await OpenFeature.setContext({ targetingKey: 'user-7' });
  await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: `http://${address}`, headers, pollInterval: 0 }));
  details = async () => OpenFeature.getClient().getBooleanDetails('plain', false);
} else if (kind === 'flagd-web') {
  const { OpenFeature } = require('@openfeature/web-sdk');
  const { FlagdWebProvider } = require('@openfeature/flagd-web-provider');
  await OpenFeature.setContext({ targetingKey: 'user-7' });
  await OpenFeature.setProviderAndWait(new FlagdWebProvider({ host, port: Number(port), tls: false }));
  details = async () => OpenFeature.getClient().getBooleanDetails('plain', false);
} else {
  const { OpenFeature } = require('@openfeature/server-sdk');
  const provider = () => {
    if (kind === 'ofrep') {
      const { OFREPProvider } = require('@openfeature/ofrep-provider');
      return new OFREPProvider({ baseUrl: `http://${address}`, headers });
    }
    const { FlagdProvider } = require('@openfeature/flagd-provider');
    const resolverType = kind === 'rpc' ? 'rpc' : 'in-process';
    return new FlagdProvider({ host, port: Number(port), tls: false, deadlineMs: 5000, resolverType });
  };
  await OpenFeature.setProviderAndWait(provider());
  details = () => OpenFeature.getClient().getBooleanDetails('plain', false, { targetingKey: 'user-7' });
}

let last;
const deadline = Date.now() + 30_000;
while (Date.now() < deadline) {
  const got = await details();
  const now = `${got.value} ${got.variant} ${got.reason}`;
  if (now !== last) {
    last = now;
    console.log(now);
  }
  await new Promise((resolve) => setTimeout(resolve, 20));
}
process.exit(0);
