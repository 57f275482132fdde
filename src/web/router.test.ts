import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import express from 'express';
import { webRouter } from './router.ts';

const PAGES = path.join(import.meta.dirname, 'pages');

async function serve(clientFolder: string | undefined) {
  const facts = { serverName: 'localhost', version: '1', mayRegister: true, hasAccounts: false, nextIsAdmin: true };
  const app = express().use(webRouter({ pagesFolder: PAGES, clientFolder, facts: async () => facts }));
  const server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    get: (target: string) => fetch(`http://127.0.0.1:${port}${target}`, { redirect: 'manual' }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('the web pages', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'inglenook-web-'));
    await mkdir(path.join(folder, 'assets'));
    await writeFile(path.join(folder, 'index.html'), '<!doctype html>');
    await writeFile(path.join(folder, 'sw.js'), '');
    await writeFile(path.join(folder, 'assets/index-abc.js'), '');
  });
  after(() => rm(folder, { recursive: true }));

  it('lets nothing into our pages but our own files', async () => {
    await using web = await serve(undefined);
    for (const target of ['/', '/_web/register', '/_web/pages/register.js']) {
      const response = await web.get(target);
      assert.equal(response.status, 200, target);
      const policy = response.headers.get('content-security-policy') ?? '';
      assert.match(policy, /default-src 'none'/);
      assert.doesNotMatch(policy, /unsafe|https?:/);
    }
  });

  it('asks for the pages anew each time, and for the bundle once', async () => {
    await using web = await serve(folder);
    assert.equal((await web.get('/')).headers.get('cache-control'), 'no-store');
    assert.match((await web.get('/_web/')).headers.get('cache-control') ?? '', /max-age=0/);
    assert.match((await web.get('/_web/sw.js')).headers.get('cache-control') ?? '', /max-age=0/);
    assert.match(
      (await web.get('/_web/assets/index-abc.js')).headers.get('cache-control') ?? '',
      /max-age=\d+, immutable/,
    );
  });

  it('lets the script run through which the client saves files, and no other that stands in a page', async () => {
    await using web = await serve(folder);
    const policy = (await web.get('/_web/')).headers.get('content-security-policy') ?? '';
    const sdk = path.dirname(createRequire(import.meta.url).resolve('hydrogen-view-sdk/download-sandbox.html'));
    const html = await readFile(path.join(sdk, 'download-sandbox.html'), 'utf8');
    const [, script = ''] = /<script[^>]*>(.*)<\/script>/s.exec(html) ?? [];
    const hash = createHash('sha256').update(script).digest('base64');
    assert.equal(/script-src ([^;]*)/.exec(policy)?.[1], `'self' 'wasm-unsafe-eval' 'sha256-${hash}'`);
  });

  it('leads to the client without its last slash', async () => {
    await using web = await serve(folder);
    const response = await web.get('/_web');
    assert.equal(response.headers.get('location'), '/_web/');
  });

  it('serves no client that is switched off, and still the form', async () => {
    await using web = await serve(undefined);
    assert.equal((await web.get('/_web/')).status, 404);
    const form = await (await web.get('/_web/register')).text();
    assert.match(form, /becomes the administrator/);
    assert.doesNotMatch(form, /href="\/_web\/"/);
  });
});
