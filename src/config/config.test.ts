import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it } from 'node:test';
import { explainSetting } from './explain.ts';
import { ConfigError, makeConfig, parseConfig } from './index.ts';
import { sampleYaml } from './sample.ts';
import { mostSimilar } from './similar.ts';
import { parseDurationMs, parseSizeBytes } from './units.ts';

async function problemsIn(text: string): Promise<readonly string[]> {
  try {
    await parseConfig(text, '/etc/inglenook.yaml');
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.split('\n').map((line) => line.replace('/etc/inglenook.yaml:', ''));
  }
}

describe('the configuration', () => {
  it('has a working default for everything', async () => {
    const config = await parseConfig('', '/etc/inglenook.yaml');
    assert.equal(config.server.name, 'localhost');
    assert.equal(config.server.signing_key_file, '/etc/data/signing.key');
    assert.equal(config.database.sqlite.file, '/etc/data/inglenook.db');
    assert.equal(config.registration.open_to, 'local');
    assert.deepEqual(config, makeConfig({}, '/etc'));
  });

  it('takes relative paths from the folder of the file', async () => {
    const text = 'server: { data_folder: ../var }\nlogging: { file: x.log }\ndatabase: { sqlite: { file: /fast/db } }';
    const config = await parseConfig(text, '/etc/inglenook.yaml');
    assert.equal(config.server.data_folder, '/var');
    assert.equal(config.logging.file, '/etc/x.log');
    assert.equal(config.database.sqlite.file, '/fast/db');
  });

  it('names the line and column of an unknown key and what was meant', async () => {
    assert.deepEqual(await problemsIn('http:\n  trusted_proxy: []\n'), [
      '2:3: http.trusted_proxy: is not a setting; did you mean trusted_proxies? (accepted: trusted_proxies, shutdown_timeout)',
    ]);
    const [unknown] = await problemsIn('registration:\n  open_to: local\nfederation_domain_whitelist: []\n');
    assert.match(unknown ?? '', /^3:1: federation_domain_whitelist: is not a setting \(accepted: server, listeners,/);
  });

  it('names every wrong value at its place, in the order of the file', async () => {
    const text = [
      'login:',
      '  access_token_lifetime: 5 parsecs',
      '  password_hash: { memory: 19 }',
      'database: { type: mysql }',
      'rooms:',
      '  default_version: 12',
      'registration: yes please',
      'rate_limits: { message: { per_second: 0, burst: 1.5 } }',
    ].join('\n');
    assert.deepEqual(await problemsIn(text), [
      '2:26: login.access_token_lifetime: expected a duration such as 500ms, 30s, 5m, 12h or 7d',
      '3:28: login.password_hash.memory: expected a size such as 64K, 50M or 2G',
      '4:19: database.type: expected one of: sqlite, postgres',
      "6:20: rooms.default_version: has to stand in quotes: '12'",
      '7:15: registration: expected a section with settings of its own',
      '8:39: rate_limits.message.per_second: expected more than 0',
      '8:49: rate_limits.message.burst: expected a whole number',
    ]);
  });

  it('refuses what is not YAML, and keys that come twice', async () => {
    assert.match((await problemsIn('server: [1\n'))[0] ?? '', /^\d:\d+: /);
    assert.match((await problemsIn('web: {}\nweb: {}\n'))[0] ?? '', /^2:1: .*unique/);
    assert.match((await problemsIn('server: &x {}\nweb: *x\n'))[0] ?? '', /^2:6: \*x: aliases/);
  });

  it('refuses a listener with both port and socket, or with neither', async () => {
    assert.deepEqual(await problemsIn('listeners:\n  - { port: 1, unix_socket: a }\n  - { tls: true }\n'), [
      '2:5: listeners[0]: a listener has either a port or a unix_socket',
      '3:5: listeners[1]: a listener has either a port or a unix_socket',
    ]);
  });

  it('takes an empty section for one that is not there', async () => {
    assert.deepEqual(await problemsIn('server:\nrate_limits:\n'), []);
  });

  it('refuses a server name that breaks the grammar', async () => {
    assert.deepEqual(await problemsIn('server: { name: "exa mple" }'), [
      '1:17: server.name: expected a host name, with a port if need be',
    ]);
  });
});

describe('the sample', () => {
  it('is a configuration of nothing but defaults when all of it is uncommented', async () => {
    const lines = sampleYaml().split('\n');
    const yaml = lines.filter((line) => /^ *#[^# ]|^ *# {2,}/.test(line)).map((line) => line.replace('#', ''));
    const text = withoutOptionalSections(yaml).join('\n');
    assert.deepEqual(await parseConfig(text, path.resolve('config.yaml')), makeConfig({}, process.cwd()));
  });
});

/** Without the sections that are not there by default: some of their settings have to be given. */
function withoutOptionalSections(lines: readonly string[]): readonly string[] {
  let skippedIndent = Number.POSITIVE_INFINITY;
  return lines.filter((line) => {
    const indent = line.length - line.trimStart().length;
    if (indent > skippedIndent) return false;
    const isOptional = /^ *(recaptcha|support|smtp|s3|scan):/.test(line);
    skippedIndent = isOptional ? indent : Number.POSITIVE_INFINITY;
    return !isOptional;
  });
}

describe('config explain', () => {
  it('tells meaning, values and default', () => {
    const found = explainSetting('registration.open_to');
    assert.ok('text' in found);
    assert.match(found.text, /accepts: nobody, local, everyone\n {2}default: local/);
  });
});

describe('units', () => {
  it('reads durations and sizes, and nothing else', () => {
    assert.equal(parseDurationMs('1.5h'), 5_400_000);
    assert.equal(parseDurationMs('500ms'), 500);
    assert.equal(parseDurationMs('2w'), 1_209_600_000);
    assert.equal(parseSizeBytes('64K'), 65_536);
    for (const bad of ['', '5', 'h', '-5s', '5 S', '1e3s', '5m30s']) assert.equal(parseDurationMs(bad), undefined, bad);
    for (const bad of ['', '5', '5k', '5MB', '-5M']) assert.equal(parseSizeBytes(bad), undefined, bad);
  });
});

describe('mostSimilar', () => {
  it('finds what was meant, all of it where it is not clear, nothing where nothing is near', () => {
    assert.deepEqual(mostSimilar('prot', ['port', 'tls']), ['port']);
    assert.deepEqual(mostSimilar('loging', ['login', 'logging', 'web']), ['login', 'logging']);
    assert.deepEqual(mostSimilar('federation', ['login', 'web']), []);
  });
});
