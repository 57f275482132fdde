/** Single sign-on across a restart, with a key instead of a secret, without discovery, with a picture, at another address. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose';
import { V3 } from './helpers.ts';
import { Browser } from './sso-browser.ts';
import { SsoSetup, tokenOf } from './sso-setup.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

describe('single sign-on with a key of the client', () => {
  let sso: SsoSetup;
  let pictures: Server;
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'inglenook-sso-'));
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
    const file = path.join(folder, 'client.pem');
    await writeFile(file, await exportPKCS8(privateKey));
    pictures = createServer((_request, response) => response.setHeader('content-type', 'image/png').end(PNG));
    pictures.listen(0, '127.0.0.1');
    await once(pictures, 'listening');
    const address = pictures.address();
    assert.ok(typeof address === 'object' && address !== null);
    sso = await SsoSetup.start({
      people: {},
      clientKey: { ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256', use: 'sig' },
      providers: {
        company: {
          client_auth: 'private_key_jwt',
          private_key_file: file,
          private_key_id: 'k',
          // Without a userinfo endpoint only the ID token speaks.
          mapping: { localpart: 'u-{sub}', picture: `http://127.0.0.1:${address.port}/{sub}.png` },
          brand: 'gitlab',
        },
      },
      config: { sso: { preferred: true } },
    });
  });
  after(async () => {
    await sso[Symbol.asyncDispose]();
    pictures.close();
    await rm(folder, { recursive: true });
  });

  it('goes on where it was after the server has started anew', async () => {
    const browser = new Browser();
    browser.stopAt = '/callback/';
    const { url } = await sso.arrive(browser, 'company', 'anna');
    browser.stopAt = undefined;
    await sso.server.restart();
    const page = await browser.open(url);
    await sso.server.restart();
    const end = await browser.submit(page);
    await sso.server.restart();
    const { body } = await sso.exchange(tokenOf(end));
    assert.equal(body.user_id, '@u-anna:example.org');
    assert.equal((await browser.open(url)).status, 400);
  });

  it('takes the picture over as the avatar', async () => {
    const avatar = async () =>
      (await sso.server.request('GET', `${V3}/profile/@u-ben:example.org/avatar_url`)).body.avatar_url;
    const { access_token: token } = (await sso.logIn(new Browser(), 'company', 'ben')).body;
    for (let count = 0; count < 200 && (await avatar()) === undefined; count++) await sleep(20);
    const url: string = await avatar();
    assert.match(url, /^mxc:\/\/example\.org\//);
    const file = await sso.server.request('GET', `/_matrix/client/v1/media/download/${url.slice(6)}`, { token });
    assert.deepEqual(file.bytes, PNG);
  });

  it('is what clients that know OAuth 2.0 shall offer, where that is configured', async () => {
    const { flows } = (await sso.server.request('GET', `${V3}/login`)).body;
    assert.equal(flows[1].oauth_aware_preferred, true);
  });

  it('sends browsers that come by another address to the public one, once', async () => {
    const query = `redirectUrl=${encodeURIComponent('https://a.example/?b=c&d')}`;
    const other = await sso.server.request('GET', `${V3}/login/sso/redirect/company?${query}`);
    assert.equal(other.status, 302);
    const { location } = other.headers;
    assert.equal(location, `${sso.publicUrl}${V3}/login/sso/redirect/company?${query}&moved=1`);
    const again = await sso.server.request('GET', `${V3}/login/sso/redirect/company?${query}&moved=1`);
    assert.match(again.headers.location ?? '', /\/auth\?/);
  });
});
