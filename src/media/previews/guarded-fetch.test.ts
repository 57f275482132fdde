import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { describe, it } from 'node:test';
import { AddressPolicy } from '../../address-policy.ts';
import { GuardedFetch, RefusedAddressError } from './guarded-fetch.ts';

const LIMITS = { bytesMax: 1000, timeoutMs: 2000, mayCut: false, accept: '*/*' };
const LOOPBACK = { address: '127.0.0.1', family: 4 };

/** A server on loopback, and how often it was reached. */
async function serve(listener: RequestListener) {
  const state = { hits: 0 };
  const server = createServer((request, response) => {
    state.hits++;
    listener(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
    state,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function guarded(allowed: readonly string[], resolve?: (host: string) => Promise<readonly LookupAddress[]>) {
  const policy = new AddressPolicy({ allowed });
  return new GuardedFetch({ policy, userAgent: 'test', ...(resolve === undefined ? {} : { resolve }) });
}

/** Refused by the guard, whatever undici wraps it in. */
function isRefused(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) if (one instanceof RefusedAddressError) return true;
  return false;
}

describe('GuardedFetch', () => {
  it('never connects to a refused address, by number or by name', async () => {
    await using server = await serve((_, response) => response.end('secret'));
    await using fetcher = guarded([], async () => [LOOPBACK]);
    for (const host of ['127.0.0.1', '[::ffff:127.0.0.1]', '2130706433', 'localhost', 'intranet.example', '[::1]']) {
      await assert.rejects(fetcher.get(new URL(`http://${host}:${server.port}/`), LIMITS), isRefused, host);
    }
    assert.equal(server.state.hits, 0);
  });

  it('refuses a name with one good and one bad address', async () => {
    await using server = await serve((_, response) => response.end('secret'));
    await using fetcher = guarded([], async () => [{ address: '93.184.216.34', family: 4 }, LOOPBACK]);
    await assert.rejects(fetcher.get(new URL(`http://both.example:${server.port}/`), LIMITS), isRefused);
    assert.equal(server.state.hits, 0);
  });

  it('checks a name at each connection: one that changes its meaning gets nowhere', async () => {
    await using server = await serve((_, response) => {
      response.writeHead(200, { connection: 'close' }).end('x');
    });
    const answers: LookupAddress[] = [LOOPBACK, { address: '127.0.0.2', family: 4 }];
    await using fetcher = guarded(['127.0.0.1'], async () => [answers.shift() ?? LOOPBACK]);
    const url = new URL(`http://rebinding.example:${server.port}/`);
    assert.equal((await fetcher.get(url, LIMITS))?.bytes.toString(), 'x');
    await assert.rejects(fetcher.get(url, LIMITS), isRefused);
    assert.equal(server.state.hits, 1);
  });

  it('follows redirects, and refuses those that lead to where it may not', async () => {
    await using target = await serve((_, response) => response.end('secret'));
    let location = '/again';
    await using server = await serve((request, response) => {
      if (request.url === '/again') response.end('there');
      else response.writeHead(302, { location }).end();
    });
    await using fetcher = guarded(['127.0.0.1']);
    const url = new URL(`http://127.0.0.1:${server.port}/`);
    assert.equal((await fetcher.get(url, LIMITS))?.bytes.toString(), 'there');
    for (location of [
      `http://127.0.0.2:${target.port}/`,
      `http://[::1]:${target.port}/`,
      `http://0x7f000002:${target.port}/`,
      `//169.254.169.254/latest/meta-data/`,
      'file:///etc/passwd',
      'gopher://127.0.0.1/',
      `http://user:password@127.0.0.1:${target.port}/`,
      `http://127.0.0.1:${server.port}/`,
    ]) {
      await assert.rejects(fetcher.get(url, LIMITS), isRefused, location);
    }
    assert.equal(target.state.hits, 0);
  });

  it('refuses hosts by name, with and without the root dot', async () => {
    const policy = new AddressPolicy({ allowed: ['127.0.0.1'] });
    const isHostAllowed = (host: string) => host !== 'denied.example';
    const resolve = async () => [LOOPBACK];
    await using fetcher = new GuardedFetch({ policy, isHostAllowed, resolve, userAgent: 'test' });
    for (const host of ['denied.example', 'DENIED.example', 'denied.example.']) {
      await assert.rejects(fetcher.get(new URL(`http://${host}:1/`), LIMITS), isRefused, host);
    }
  });

  it('stops at the limits of size and time', async () => {
    await using server = await serve((request, response) => {
      if (request.url === '/slow') response.write('x');
      else response.end('x'.repeat(5000));
    });
    await using fetcher = guarded(['127.0.0.1']);
    const url = (path: string) => new URL(path, `http://127.0.0.1:${server.port}`);
    await assert.rejects(fetcher.get(url('/long'), LIMITS), /too long/);
    const cut = await fetcher.get(url('/long'), { ...LIMITS, mayCut: true });
    assert.deepEqual([cut?.bytes.length, cut?.isCut], [1000, true]);
    await assert.rejects(fetcher.get(url('/slow'), { ...LIMITS, timeoutMs: 100 }));
  });

  it('gives nothing for answers that are errors', async () => {
    await using server = await serve((_, response) => response.writeHead(404).end('no'));
    await using fetcher = guarded(['127.0.0.1']);
    assert.equal(await fetcher.get(new URL(`http://127.0.0.1:${server.port}/`), LIMITS), undefined);
  });
});
