import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ConfigError, parseConfig } from './index.ts';

async function problemsIn(lines: readonly string[]): Promise<readonly string[]> {
  try {
    await parseConfig(lines.join('\n'), '/etc/x.yaml');
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message.split('\n').map((line) => line.replace('/etc/x.yaml:', ''));
  }
}

const PUBLIC = 'server: { public_url: https://hs.example.org }';
const GOOD = '{ id: a, name: A, issuer: https://idp.example.org, client_id: c, client_secret: s';

describe('the section sso', () => {
  it('takes a provider that has what it needs', async () => {
    assert.deepEqual(await problemsIn([PUBLIC, `sso: { providers: [${GOOD} }] }`]), []);
    const file = 'private_key_file: key.pem';
    const config = await parseConfig(
      [PUBLIC, `sso: { providers: [${GOOD}, client_auth: private_key_jwt, ${file} }] }`].join('\n'),
      '/etc/x.yaml',
    );
    assert.equal(config.sso.providers[0]?.private_key_file, '/etc/key.pem');
  });

  it('says what a provider lacks, and where', async () => {
    assert.match((await problemsIn([`sso: { providers: [${GOOD} }] }`]))[0] ?? '', /needs server\.public_url/);
    const found = await problemsIn([
      PUBLIC,
      'sso:',
      '  providers:',
      `    - ${GOOD}, mapping: { localpart: "{email|upper}" } }`,
      '    - { id: B, name: B, issuer: ldap://x, client_id: c, client_secret: s }',
    ]);
    assert.match(found[0] ?? '', /^4:\d+: sso\.providers\[0\]\.mapping\.localpart: expected a text with places/);
    assert.match(found[1] ?? '', /^5:\d+: sso\.providers\[1\]\.id: expected a-z/);
    assert.match(found[2] ?? '', /^5:\d+: sso\.providers\[1\]\.issuer: expected an address/);
    const lacking = await problemsIn([
      PUBLIC,
      'sso: { providers: [{ id: a, name: A, issuer: https://x.org, client_id: c }] }',
    ]);
    assert.match(lacking[0] ?? '', /client_secret_basic needs client_secret/);
    const twice = await problemsIn([PUBLIC, `sso: { providers: [${GOOD} }, ${GOOD} }] }`]);
    assert.match(twice[0] ?? '', /another provider with the id a/);
  });
});
